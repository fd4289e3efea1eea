//! What a job waits for, as operators ask.

use pgq_core::limit::gate::Gate;
use pgq_core::limit::task_of;
use pgq_core::{JobId, State, Timestamp};

use super::limit_info::{parts_of_gate, shown};
use super::{Bounds, LimitInfo, LimitShare, Measure, Pause, Rate};

/// What a job waits for. It prints as what is said of the job: `waits for send: 1 at once, 1 runs (job 41 on db1:4711)`,
/// `runs on db1:4712`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitsFor {
    /// A worker that has room for it: nothing else is against its start.
    Worker,
    /// A worker at all: nothing else is against its start, but none that lives has its queue and task. Poll-only workers don't say
    /// what they have, so while one lives this isn't told.
    NoWorker,
    /// Its time.
    Due(Timestamp),
    /// That its queue or task is resumed.
    Resume(Pause),
    /// That a limit allows its start.
    Limit(LimitWait),
    /// Nothing: this worker runs it, as `host:pid`. One that is gone and whose jobs aren't freed yet has no name.
    Running(Option<String>),
    /// Nothing: it is finished, in this state.
    Finished(State),
}

/// A limit that a job waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitWait {
    /// What it is called, as in [`LimitInfo`].
    pub limit: String,
    /// The task whose own it is; `None` where tasks share it.
    pub task: Option<String>,
    /// The value of its key, where it has one.
    pub value: Option<String>,
    /// What is in force, of the limit or of the value.
    pub bounds: Bounds,
    /// How many attempts that it counts run. Where it has no key, those among the first 10,000 jobs of each queue and task.
    pub running: u32,
    /// Jobs that run and hold it, 20 at most.
    pub jobs: Vec<RunningJob>,
    /// Workers, as `host:pid`, of which it isn't known yet what they run of it, where it has no key: where it is new, was lifted or
    /// counts another task now, nothing starts until they have said so or are gone.
    pub awaited: Vec<String>,
    /// Which workers have set how much of it apart for what they start, where it has no key: places to run in, or, where `next` is
    /// known, parts of its rate.
    pub shares: Vec<LimitShare>,
    /// When its rate lets the next one start, where only that is against it. Where it has no key workers count by themselves: one that
    /// has to wait for its next token for two seconds or longer says until when, and of another this is when it has one at the latest.
    pub next: Option<Timestamp>,
}

/// A job that runs, and where. It prints as such: `41 on db1:4711`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunningJob {
    /// Its id.
    pub id: JobId,
    /// Its worker, as `host:pid`; `None` where that is gone and the job isn't freed yet.
    pub worker: Option<String>,
}

/// Who has something of a limit without a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holders {
    /// How many attempts that it counts run.
    pub running: u32,
    /// Some of the jobs whose attempts these are.
    pub jobs: Vec<RunningJob>,
    /// Workers, by name, of which it isn't known yet what they run of it, while that is waited for.
    pub awaited: Vec<String>,
}

impl LimitWait {
    /// Of a job that waits at a gate.
    pub(crate) fn at_gate(name: &str, bounds: Bounds, gate: Gate, now: Timestamp, jobs: Vec<RunningJob>) -> Self {
        let (limit, value) = parts_of_gate(name);
        let next = gate.room(bounds, now).1;
        let task = task_of(limit).map(ToOwned::to_owned);
        let (limit, value) = (shown(limit).to_owned(), Some(value.to_owned()));
        Self { limit, task, value, bounds, running: gate.running, jobs, awaited: Vec::new(), shares: Vec::new(), next }
    }

    /// Of a job whose task has a limit without a key, if that is against its start, and why.
    pub(crate) fn for_units(info: LimitInfo, holders: Holders, now: Timestamp) -> Option<(Bar, Self)> {
        let bar = Bar::of(&info, &holders)?;
        let Holders { running, jobs, awaited } = holders;
        let measure = if bar == Bar::Rate { Measure::Rate } else { Measure::Concurrency };
        let mut shares: Vec<_> = info.shares.into_iter().filter(|share| share.measure == measure).collect();
        // Those who have something come first.
        shares.sort_by_key(|share| std::cmp::Reverse(share.units));
        let next = measure.rate(info.bounds).and_then(|rate| next_token(rate, &shares, now));
        let (limit, task, bounds) = (info.name, info.task, info.bounds);
        Some((bar, Self { limit, task, value: None, bounds, running, jobs, awaited, shares, next }))
    }
}

/// Why a limit without a key lets nothing start. Of several limits the first in this order is the one that holds a job up: what a
/// worker has set apart, and starts nothing with, waits for one of the others itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Bar {
    /// It allows none.
    Closed,
    /// As many run as it allows.
    Full,
    /// It isn't known yet how many run.
    Unknown,
    /// All parts of its rate are with workers, which would start something if they had a token.
    Rate,
    /// All places are with workers, though fewer run.
    SetApart,
}

impl Bar {
    fn of(info: &LimitInfo, holders: &Holders) -> Option<Self> {
        let is_given_away = |measure: Measure| measure.cap(info.bounds).is_some_and(|cap| info.in_use(measure) >= cap);
        match info.bounds.concurrency {
            Some(0) => Some(Self::Closed),
            Some(most) if holders.running >= most => Some(Self::Full),
            Some(_) if !holders.awaited.is_empty() => Some(Self::Unknown),
            _ if is_given_away(Measure::Rate) => Some(Self::Rate),
            _ if is_given_away(Measure::Concurrency) => Some(Self::SetApart),
            _ => None,
        }
    }
}

/// When the first of those who have units of a rate has a token again: as he has said, else at the latest.
fn next_token(rate: Rate, shares: &[LimitShare], now: Timestamp) -> Option<Timestamp> {
    let at_the_latest = |units| Some(now.saturating_add((rate.interval() * rate.burst()).checked_div(units)?));
    shares.iter().filter_map(|share| share.next.or_else(|| at_the_latest(share.units))).min()
}

/// Where a job stands by itself: whatever holds up its whole task or queue is apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    /// Its task.
    pub task: String,
    /// Its queue.
    pub queue: String,
    /// What it waits for; a worker, where nothing of its own is against it.
    pub waits_for: WaitsFor,
    /// Whether a worker lives that may have its task and queue, where it waits for one.
    pub served: bool,
    /// When it was looked.
    pub now: Timestamp,
}

/// The most jobs that are named.
pub(crate) const NAMED: u32 = 20;
