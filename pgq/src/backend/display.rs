//! How limits, pauses and what a job waits for read, each in one line for people: programs ask for the fields.

use std::fmt::{self, Display, Formatter, Write as _};

use pgq_core::Timestamp;

use super::{LimitInfo, LimitShare, LimitWait, Measure, Pause, RunningJob, WaitsFor};

/// `send[tenant]: 2 at once, set in place of 4 at once; 3 values busy, 12 blocking`, `shared stripe: 20 starts a second`.
impl Display for LimitInfo {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(owned(self.task.as_deref()))?;
        write!(f, "{}: {}", self.name, self.bounds)?;
        match (self.declared, self.set) {
            (Some(declared), Some(_)) => write!(f, ", set in place of {declared}")?,
            (None, Some(_)) => f.write_str(", set where nothing is declared")?,
            (None, None) => f.write_str(", as nobody declares it")?,
            (Some(_), None) => {}
        }
        if self.key.is_some() { self.fmt_values(f) } else { self.fmt_units(f) }
    }
}

impl LimitInfo {
    fn fmt_values(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "; {} busy, {} blocking", counted(self.busy, "value"), self.blocking)?;
        match self.values.len() {
            0 => Ok(()),
            1 => f.write_str("; 1 value has bounds of its own"),
            many => write!(f, "; {many} values have bounds of their own"),
        }
    }

    fn fmt_units(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let of_measure = |measure: Measure| {
            let (units, cap) = (self.in_use(measure), measure.cap(self.bounds)?);
            (units > 0).then(|| format!("{units} of {}", parts(cap, measure)))
        };
        let given: Vec<String> = Measure::ALL.into_iter().filter_map(of_measure).collect();
        if !given.is_empty() {
            write!(f, "; workers have {}", given.join(" and "))?;
        }
        match self.shares.iter().filter(|share| share.waits_for > 0).count() {
            0 => Ok(()),
            1 => f.write_str("; 1 worker waits"),
            many => write!(f, "; {many} workers wait"),
        }
    }
}

/// Its fields, those that everybody sees.
impl fmt::Debug for LimitInfo {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut info = f.debug_struct("LimitInfo");
        info.field("name", &self.name).field("task", &self.task).field("key", &self.key);
        info.field("declared", &self.declared).field("set", &self.set).field("bounds", &self.bounds);
        info.field("shares", &self.shares).field("busy", &self.busy).field("blocking", &self.blocking);
        info.field("values", &self.values).finish_non_exhaustive()
    }
}

/// `db1:4711 has 3 places and waits for 2 more`.
impl Display for LimitShare {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} has {}", self.worker, parts(self.units, self.measure))?;
        if self.waits_for > 0 { write!(f, " and waits for {} more", self.waits_for) } else { Ok(()) }
    }
}

/// `41 on db1:4711`.
impl Display for RunningJob {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.id, self.worker.as_deref().unwrap_or("a worker that is gone"))
    }
}

/// `ring[house]=seven: 1 at once, 1 runs (job 41 on db1:4711)`.
impl Display for LimitWait {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", owned(self.task.as_deref()), self.limit)?;
        if let Some(value) = &self.value {
            write!(f, "={}", Line(value))?;
        }
        write!(f, ": {}", self.bounds)?;
        self.fmt_running(f)?;
        match self.next {
            Some(next) if self.value.is_some() || self.is_told(next) => write!(f, ", next at {next}"),
            Some(next) => write!(f, ", next at {next} at the latest"),
            None if !self.has_room() => Ok(()),
            None if self.value.is_some() => f.write_str("; it has room, for those that come first"),
            None if self.awaited.is_empty() => self.fmt_free(f),
            None => write!(f, "; nothing starts until it is known what runs on {}", Self::some(&self.awaited)),
        }
    }
}

impl LimitWait {
    /// Whether a worker has said that its next token comes then.
    fn is_told(&self, next: Timestamp) -> bool {
        self.shares.iter().any(|share| share.next == Some(next))
    }

    /// How many jobs, and how many workers, are named in a line.
    const SHOWN: usize = 5;

    fn fmt_running(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.running == 0 {
            return Ok(());
        }
        write!(f, ", {} {}", self.running, if self.running == 1 { "runs" } else { "run" })?;
        let named: Vec<String> = self.jobs.iter().take(Self::SHOWN).map(ToString::to_string).collect();
        let more = if named.len() < self.running as usize { ", …" } else { "" };
        match &named[..] {
            [] => Ok(()),
            [one] => write!(f, " (job {one}{more})"),
            _ => write!(f, " (jobs {}{more})", named.join(", ")),
        }
    }

    /// Who has places that nothing runs in, as far as it is known what runs.
    fn fmt_free(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let runs_on = |worker: &str| self.jobs.iter().filter(|job| job.worker.as_deref() == Some(worker)).count();
        let has_free = |share: &&LimitShare| share.units as usize > runs_on(&share.worker);
        let workers: Vec<_> = self.shares.iter().filter(has_free).map(|share| &*share.worker).collect();
        match &workers[..] {
            [] => Ok(()),
            _ => write!(f, "; free places: with {}, to be used or given back within seconds", Self::some(&workers)),
        }
    }

    /// The first of these.
    fn some(names: &[impl AsRef<str>]) -> String {
        let first: Vec<_> = names.iter().take(Self::SHOWN).map(AsRef::as_ref).collect();
        first.join(", ") + if names.len() > Self::SHOWN { ", …" } else { "" }
    }

    /// Whether it would let one more run, if no worker had set that apart.
    fn has_room(&self) -> bool {
        self.bounds.concurrency.is_none_or(|most| self.running < most)
    }
}

/// `waits for send: 1 at once, 1 runs (job 41 on db1:4711)`, `runs on db1:4712`: what is said of the job that was asked about.
impl Display for WaitsFor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker => f.write_str("waits for a worker that has room for it"),
            Self::NoWorker => f.write_str("waits for a worker: none that lives has its queue and task"),
            Self::Due(at) => write!(f, "waits until {at}"),
            Self::Resume(pause) => write!(f, "waits, as {pause}"),
            Self::Limit(limit) => write!(f, "waits for {limit}"),
            Self::Running(Some(worker)) => write!(f, "runs on {worker}"),
            Self::Running(None) => f.write_str("is held by a worker that is gone"),
            Self::Finished(state) => write!(f, "is {state}"),
        }
    }
}

/// `queue mail is paused since 2026-02-28T12:00:00Z: the provider is down`.
impl Display for Pause {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} is paused since {}", self.what, self.since)?;
        if let Some(until) = self.until {
            write!(f, " until {until}")?;
        }
        if self.reason.is_empty() { Ok(()) } else { write!(f, ": {}", Line(&self.reason)) }
    }
}

/// What comes before the name of a limit: that of tasks may be a task's too.
fn owned(task: Option<&str>) -> &'static str {
    if task.is_some() { "" } else { "shared " }
}

/// So many units of it.
fn parts(count: u32, measure: Measure) -> String {
    match measure {
        Measure::Concurrency => counted(count, "place"),
        Measure::Rate => format!("{} of the rate", counted(count, "part")),
    }
}

fn counted(count: u32, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Text that somebody else wrote, on one line.
struct Line<'t>(&'t str);

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0
            .chars()
            .try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_debug()) } else { f.write_char(c) })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pgq_core::limit::task_of;
    use pgq_core::{JobId, State};

    use super::super::{Bounds, Pausable, Rate};
    use super::*;

    const NOON: Timestamp = Timestamp::from_micros(1_772_280_000_000_000);
    const ONE: Bounds = Bounds { concurrency: Some(1), rate: None };
    const TWO: Bounds = Bounds { concurrency: Some(2), rate: None };
    const FOUR: Bounds = Bounds { concurrency: Some(4), rate: None };

    fn five_a_second() -> Option<Rate> {
        Rate::new(5.0, Duration::from_secs(1))
    }

    fn info(full_name: &str, declared: Option<Bounds>, set: Option<Bounds>) -> LimitInfo {
        LimitInfo::new(full_name.to_owned(), task_of(full_name).map(ToOwned::to_owned), declared, set)
    }

    fn share(worker: &str, measure: Measure, units: u32, waits_for: u32) -> LimitShare {
        LimitShare { worker: worker.to_owned(), measure, units, waits_for, next: None }
    }

    #[test]
    fn a_limit_says_what_is_in_force_and_in_place_of_what() {
        let both = Bounds { concurrency: Some(2), rate: five_a_second().and_then(|rate| rate.with_burst(10)) };
        for (declared, set, text) in [
            (Some(TWO), None, "send: 2 at once"),
            (Some(FOUR), Some(both), "send: 2 at once, 5 starts a second (burst 10), set in place of 4 at once"),
            (Some(FOUR), Some(Bounds::default()), "send: any number, set in place of 4 at once"),
            (None, Some(TWO), "send: 2 at once, set where nothing is declared"),
            (None, None, "send: any number, as nobody declares it"),
        ] {
            assert_eq!(info("task:send", declared, set).to_string(), text);
        }
    }

    #[test]
    fn a_limit_with_a_key_says_how_many_values_are_in_use() {
        let mut keyed = info("task:send[tenant]", Some(TWO), None);
        assert_eq!(keyed.to_string(), "send[tenant]: 2 at once; 0 values busy, 0 blocking");
        (keyed.busy, keyed.blocking, keyed.values) = (1, 12, vec![("vip".to_owned(), FOUR)]);
        let text = "send[tenant]: 2 at once; 1 value busy, 12 blocking; 1 value has bounds of its own";
        assert_eq!(keyed.to_string(), text);
    }

    #[test]
    fn a_limit_without_a_key_says_what_workers_have_of_it() {
        let mut limit = info("shared:stripe", Some(Bounds { concurrency: Some(4), rate: five_a_second() }), None);
        limit.add_share(share("db1:1", Measure::Concurrency, 3, 0));
        limit.add_share(share("db1:2", Measure::Concurrency, 1, 2));
        limit.add_share(share("db1:1", Measure::Rate, 5, 0));
        let text = "shared stripe: 4 at once, 5 starts a second; workers have 4 of 4 places and 5 of 5 parts of the rate; \
                    1 worker waits";
        assert_eq!(limit.to_string(), text);
        assert_eq!(limit.shares[1].to_string(), "db1:2 has 1 place and waits for 2 more");
    }

    #[test]
    fn a_limit_in_debug_shows_what_everybody_sees() {
        let text = format!("{:?}", info("shared:stripe", Some(TWO), None));
        assert!(text.contains(r#"name: "stripe""#) && !text.contains("shared:stripe"), "{text}");
    }

    fn wait(bounds: Bounds) -> LimitWait {
        let (limit, shares, jobs, awaited) = ("send".to_owned(), Vec::new(), Vec::new(), Vec::new());
        LimitWait {
            limit,
            task: Some("send".to_owned()),
            value: None,
            bounds,
            running: 0,
            jobs,
            awaited,
            shares,
            next: None,
        }
    }

    #[test]
    fn what_a_job_waits_for_reads_as_what_is_said_of_it() {
        let pause = Pause {
            what: Pausable::Queue("mail".to_owned()),
            reason: "the provider\nis down".to_owned(),
            since: NOON,
            until: Some(NOON.saturating_add(Duration::from_mins(5))),
        };
        let paused =
            r"queue mail is paused since 2026-02-28T12:00:00Z until 2026-02-28T12:05:00Z: the provider\nis down";
        assert_eq!(pause.to_string(), paused);
        for (what, text) in [
            (WaitsFor::Worker, "waits for a worker that has room for it"),
            (WaitsFor::NoWorker, "waits for a worker: none that lives has its queue and task"),
            (WaitsFor::Due(NOON), "waits until 2026-02-28T12:00:00Z"),
            (WaitsFor::Resume(pause), &*format!("waits, as {paused}")),
            (WaitsFor::Limit(wait(Bounds { concurrency: Some(0), rate: None })), "waits for send: none may start"),
            (WaitsFor::Running(Some("db1:4711".to_owned())), "runs on db1:4711"),
            (WaitsFor::Running(None), "is held by a worker that is gone"),
            (WaitsFor::Finished(State::Completed), "is completed"),
        ] {
            assert_eq!(what.to_string(), text);
        }
    }

    #[test]
    fn a_limit_that_holds_a_job_up_says_by_what() {
        let on = |id, worker: &str| RunningJob { id: JobId(id), worker: Some(worker.to_owned()) };
        let jobs = |count: i64| (41..41 + count).map(|id| on(id, "db1:1")).collect::<Vec<_>>();
        let names = |count: u32| (1..=count).map(|pid| format!("db1:{pid}")).collect::<Vec<_>>();
        let rate = Bounds { concurrency: None, rate: five_a_second() };
        let places = |worker, units| share(worker, Measure::Concurrency, units, 1);
        let set_apart = vec![places("db1:2", 2), places("db1:1", 1), places("db1:3", 1), places("db1:4", 0)];
        let told = vec![LimitShare { next: Some(NOON), ..share("db1:1", Measure::Rate, 1, 0) }];
        let (seven, elm) = (Some("seven".to_owned()), Some("el\nm".to_owned()));
        for (wait, text) in [
            (
                LimitWait { value: seven, running: 1, jobs: jobs(1), ..wait(TWO) },
                "send=seven: 2 at once, 1 runs (job 41 on db1:1); it has room, for those that come first",
            ),
            (
                LimitWait { running: 2, jobs: vec![on(41, "db1:1"), on(42, "db1:2")], ..wait(TWO) },
                "send: 2 at once, 2 run (jobs 41 on db1:1, 42 on db1:2)",
            ),
            (
                LimitWait { running: 1, jobs: vec![RunningJob { id: JobId(41), worker: None }], ..wait(ONE) },
                "send: 1 at once, 1 runs (job 41 on a worker that is gone)",
            ),
            (
                LimitWait { running: 30, jobs: jobs(20), ..wait(TWO) },
                "send: 2 at once, 30 run (jobs 41 on db1:1, 42 on db1:1, 43 on db1:1, 44 on db1:1, 45 on db1:1, …)",
            ),
            (
                LimitWait { value: elm, next: Some(NOON), ..wait(rate) },
                r"send=el\nm: 5 starts a second, next at 2026-02-28T12:00:00Z",
            ),
            (
                LimitWait { next: Some(NOON), ..wait(rate) },
                "send: 5 starts a second, next at 2026-02-28T12:00:00Z at the latest",
            ),
            (
                LimitWait { next: Some(NOON), shares: told, ..wait(rate) },
                "send: 5 starts a second, next at 2026-02-28T12:00:00Z",
            ),
            (
                LimitWait { running: 1, jobs: jobs(1), shares: set_apart, ..wait(FOUR) },
                "send: 4 at once, 1 runs (job 41 on db1:1); free places: with db1:2, db1:3, to be used or given back \
                 within seconds",
            ),
            (LimitWait { task: None, ..wait(ONE) }, "shared send: 1 at once"),
            (
                LimitWait { awaited: names(1), shares: vec![places("db1:2", 2)], ..wait(TWO) },
                "send: 2 at once; nothing starts until it is known what runs on db1:1",
            ),
            (
                LimitWait { running: 1, jobs: jobs(1), awaited: names(6), ..wait(TWO) },
                "send: 2 at once, 1 runs (job 41 on db1:1); nothing starts until it is known what runs on db1:1, db1:2, \
                 db1:3, db1:4, db1:5, …",
            ),
        ] {
            assert_eq!(wait.to_string(), text);
        }
    }
}
