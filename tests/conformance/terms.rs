//! What runs of limits without a key, and whether it may: by the terms that are in force, and by those before them for as long as a
//! live worker may not have heard of their end.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard};

use pgq::backend::{Measure, PoolView};
use pgq::testing::ManualClock;
use pgq::{Rate, Timestamp};

/// The tasks by their names, and which of them a limit counts.
pub(super) const TASKS: [&str; 4] = ["slate", "girder", "cart", "gravel"];
type Members = [bool; 4];

/// What a limit says at a time.
#[derive(Clone, Copy, Debug)]
struct Terms {
    /// Which change of any limit brought them.
    version: usize,
    since: Timestamp,
    /// When all had heard that others are in force.
    until: Option<Timestamp>,
    members: Members,
    most: Option<u32>,
    rate: Option<Rate>,
}

/// A limit, all that it has said, and when attempts of its tasks were started.
#[derive(Debug)]
struct Limit {
    name: String,
    terms: Vec<Terms>,
    starts: Vec<Timestamp>,
}

#[derive(Debug, Default)]
struct State {
    version: usize,
    run: [usize; 4],
    limits: Vec<Limit>,
    worst: Option<String>,
}

/// The account of all workers.
pub(super) struct Account {
    clock: ManualClock,
    state: Mutex<State>,
}

impl Account {
    pub(super) fn new(clock: &ManualClock) -> Self {
        Self { clock: clock.clone(), state: Mutex::default() }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Somebody who knows of so many changes starts an attempt of this task.
    pub(super) fn begin(&self, task: usize, looked: usize, is_gone: bool) {
        let (now, mut state) = (self.clock.now(), self.state());
        let State { run, limits, worst, .. } = &mut *state;
        run[task] += 1;
        for limit in limits {
            limit.starts.extend(limit.counts(task).then_some(now));
            let wrong = limit.crowded(task, run, looked).or_else(|| limit.hurried());
            if let Some(wrong) = wrong {
                worst.get_or_insert(wrong);
            }
        }
        if is_gone {
            worst.get_or_insert_with(|| format!("{} began on a worker that is gone", TASKS[task]));
        }
    }

    pub(super) fn end(&self, task: usize, count: usize) {
        self.state().run[task] -= count;
    }

    /// The first thing that was wrong.
    pub(super) fn worst(&self) -> Option<String> {
        self.state().worst.clone()
    }

    /// How many changes there were: whoever looks now knows of so many.
    pub(super) fn version(&self) -> usize {
        self.state().version
    }

    /// What is in force by now.
    pub(super) fn see(&self, views: &[PoolView]) {
        let (now, mut state) = (self.clock.now(), self.state());
        let State { version, limits, .. } = &mut *state;
        let next = *version + 1;
        let mut names: BTreeSet<String> = views.iter().map(|view| view.pool.limit.to_string()).collect();
        names.extend(limits.iter().map(|limit| limit.name.clone()));
        for name in names {
            let terms = Terms::of(&name, views, next, now);
            let place = limits.iter().position(|limit| limit.name == name).unwrap_or_else(|| {
                limits.push(Limit { name, terms: vec![Terms::of("", &[], 0, Timestamp::EPOCH)], starts: Vec::new() });
                limits.len() - 1
            });
            if limits[place].terms.last().is_none_or(|last| !last.is_as(&terms)) {
                limits[place].terms.push(terms);
                *version = next;
            }
        }
    }

    /// All live workers know of so many changes.
    pub(super) fn heard(&self, version: usize) {
        let now = self.clock.now();
        for limit in &mut self.state().limits {
            for place in 1..limit.terms.len() {
                if limit.terms[place].version <= version {
                    limit.terms[place - 1].until.get_or_insert(now);
                }
            }
        }
    }

    /// Somebody goes on who knows of so many only.
    pub(super) fn miss(&self, version: usize) {
        for limit in &mut self.state().limits {
            for place in 1..limit.terms.len() {
                if limit.terms[place].version > version {
                    limit.terms[place - 1].until = None;
                }
            }
        }
    }
}

impl Terms {
    fn of(name: &str, views: &[PoolView], version: usize, since: Timestamp) -> Self {
        let of = |measure| views.iter().find(move |view| &*view.pool.limit == name && view.pool.measure == measure);
        let is_member = |task: &str| {
            let shares = |view: &PoolView| view.sharers.iter().any(|sharer| sharer == task);
            name.strip_prefix("task:") == Some(task) || of(Measure::Concurrency).is_some_and(shares)
        };
        let most = of(Measure::Concurrency).and_then(|view| view.portion.cap);
        let rate = of(Measure::Rate).and_then(|view| view.portion.rate);
        Self { version, since, until: None, members: TASKS.map(is_member), most, rate }
    }

    fn is_as(&self, other: &Self) -> bool {
        (self.members, self.most, self.rate) == (other.members, other.most, other.rate)
    }
}

impl Limit {
    fn counts(&self, task: usize) -> bool {
        self.terms.last().is_some_and(|terms| terms.members[task])
    }

    /// Whether one of this task more runs than may, by all that has been in force since the one who started it has looked.
    fn crowded(&self, task: usize, run: &[usize], looked: usize) -> Option<String> {
        let count =
            |terms: &Terms| run.iter().zip(terms.members).filter(|(_, is)| *is).map(|(run, _)| *run).sum::<usize>();
        let may = |terms: &Terms| !terms.members[task] || terms.most.is_none_or(|most| count(terms) <= most as usize);
        let since = self.terms.iter().rposition(|terms| terms.version <= looked)?;
        let mut in_force = self.terms[since..].iter();
        let last = self.terms.last()?;
        (!in_force.any(may)).then(|| format!("{} run of {}: {run:?}, {last:?}", count(last), self.name))
    }

    /// Whether too many were started in a window that ends with the last one.
    fn hurried(&self) -> Option<String> {
        let last = *self.starts.last()?;
        let (mut tokens, mut burst) = self.between(last, last)?;
        for (count, pair) in (2_u32..).zip(self.starts.windows(2).rev()) {
            let (more, largest) = self.between(pair[0], pair[1])?;
            (tokens, burst) = (tokens + more, burst.max(largest));
            if f64::from(count) > f64::from(burst) + tokens + 1e-3 {
                let since = pair[0];
                return Some(format!("{count} starts of {} since {since}, which may be {burst} + {tokens}", self.name));
            }
        }
        None
    }

    /// How many tokens may have come in, and the largest burst; `None` where none of that is bounded, or others are counted.
    fn between(&self, begin: Timestamp, end: Timestamp) -> Option<(f64, u32)> {
        let members = self.terms.last()?.members;
        let (mut tokens, mut burst) = (0.0, 0);
        for terms in
            self.terms.iter().filter(|terms| terms.since <= end && terms.until.is_none_or(|until| until >= begin))
        {
            let rate = terms.rate.filter(|_| terms.members == members)?;
            let span = terms.until.map_or(end, |until| until.min(end)).since(begin.max(terms.since));
            tokens += span.as_secs_f64() / rate.interval().as_secs_f64();
            burst = burst.max(rate.burst());
        }
        Some((tokens, burst))
    }
}
