//! The operator's side: limits.

mod hint;

use std::collections::BTreeSet;
use std::time::Duration;

use pgq_core::limit::{MAX_UNITS, gate_name};
use pgq_core::{Bounds, Rate, literal};

use self::hint::{Known, hint};
use super::Client;
use crate::backend::{LimitInfo, LimitName, full_name};
use crate::error::{Error, Result};
use crate::task::Task;

/// Which limit is meant: a task's own, or one that tasks share; with a [`key`](LimitRef::key) the one that is counted by that, and
/// with a [`value`](LimitRef::value) what holds for one value of the key alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[must_use = "this only names a limit; `Client::set_limit` and `Client::clear_limit` do something"]
pub struct LimitRef {
    owner: Owner,
    key: Option<String>,
    value: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Owner {
    Task(String),
    Tasks(String),
}

impl LimitRef {
    /// The own limit of a task: `LimitRef::of::<send>()`.
    pub fn of<T: Task>() -> Self {
        Self::task(T::NAME)
    }

    /// The own limit of a task by its name, or by an earlier one. What is set holds under all its names, where each is counted by
    /// itself: workers of the version before, and with a key jobs that were enqueued under an earlier name, have that one's.
    pub fn task(name: impl Into<String>) -> Self {
        Self { owner: Owner::Task(name.into()), key: None, value: None }
    }

    /// The limit of this name that tasks share.
    pub fn shared(name: impl Into<String>) -> Self {
        Self { owner: Owner::Tasks(name.into()), key: None, value: None }
    }

    /// The one of it that is counted by this argument, or by the function of this name.
    pub fn key(mut self, name: impl Into<String>) -> Self {
        self.key = Some(name.into());
        self
    }

    /// Only what holds for this value of its key: text as it is, all else as JSON.
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// As in [`LimitInfo::name`].
    fn shown(&self) -> String {
        let name = self.owner.name();
        self.key.as_ref().map_or(name.to_owned(), |key| format!("{name}[{key}]"))
    }

    fn full_name(&self) -> String {
        match &self.owner {
            Owner::Task(name) => full_name(Some(name), name, self.key.as_deref()),
            Owner::Tasks(name) => full_name(None, name, self.key.as_deref()),
        }
    }
}

/// What an operator sets in place of what a limit's declaration says, all of it: what isn't said isn't bounded.
///
/// ```
/// # use std::time::Duration;
/// use pgq::Allow;
///
/// let both = Allow::at_once(20).starts(100.0, Duration::from_secs(60));
/// let slowly = Allow::everything().starts(0.5, Duration::from_secs(1)).burst(1);
/// let nothing = Allow::at_once(0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use = "this does nothing until it is given to `Client::set_limit`"]
pub struct Allow {
    at_once: Option<u32>,
    pace: Option<(f64, Duration)>,
    burst: Option<u32>,
}

impl Allow {
    /// Any number: the limit is lifted.
    pub fn everything() -> Self {
        Self { at_once: None, pace: None, burst: None }
    }

    /// So many attempts at once, 0 to 1,000,000. With 0 none starts, and those that run go on.
    pub fn at_once(attempts: u32) -> Self {
        Self { at_once: Some(attempts), ..Self::everything() }
    }

    /// And so many starts in each span, more than none.
    pub fn starts(mut self, count: f64, span: Duration) -> Self {
        self.pace = Some((count, span));
        self
    }

    /// And so many of these in one moment, 1 to 1,000,000; what falls into a second unless said otherwise, at least 1.
    pub fn burst(mut self, starts: u32) -> Self {
        self.burst = Some(starts);
        self
    }

    fn ready(self) -> Result<Bounds> {
        if let Some(most) = self.at_once.filter(|most| *most > MAX_UNITS) {
            return Err(Error::invalid(format!("expected 0 to {MAX_UNITS} attempts at once, got {most}")));
        }
        Ok(Bounds { concurrency: self.at_once, rate: self.rate()? })
    }

    fn rate(self) -> Result<Option<Rate>> {
        let (Some((count, span)), burst) = (self.pace, self.burst) else {
            return match self.burst {
                Some(_) => Err(Error::invalid("expected `starts` beside `burst`, which says more of a rate")),
                None => Ok(None),
            };
        };
        let wrong = || {
            let expected = "expected a rate from one start in 366 days to one in a microsecond";
            Error::invalid(format!("{expected}, got {count} in {span:?}: `Allow::at_once(0)` lets none start"))
        };
        let rate = Rate::new(count, span).ok_or_else(wrong)?;
        let Some(burst) = burst else { return Ok(Some(rate)) };
        let wrong = || Error::invalid(format!("expected a burst of 1 to {MAX_UNITS} starts, got {burst}"));
        rate.with_burst(burst).map(Some).ok_or_else(wrong)
    }
}

impl Client {
    /// All limits, by name: those that workers declare, and those that were set.
    ///
    /// ```
    /// # use pgq::{Allow, LimitRef};
    /// # #[pgq::task(concurrency = 5)]
    /// # async fn send(to: String) -> Result<(), pgq::BoxError> { Ok(()) }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> pgq::Result<()> {
    /// # let client = pgq::Client::memory();
    /// # let worker = pgq::testing::stepper::<()>(&client, pgq::tasks![send], ()).await?;
    /// client.set_limit(LimitRef::of::<send>(), Allow::at_once(20)).await?;
    /// for limit in client.limits().await? {
    ///     println!("{limit}"); // send: 20 at once, set in place of 5 at once
    /// }
    /// # assert_eq!(client.limits().await?[0].to_string(), "send: 20 at once, set in place of 5 at once");
    /// client.clear_limit(LimitRef::of::<send>()).await?;
    /// # assert_eq!(client.limits().await?[0].bounds.concurrency, Some(5));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn limits(&self) -> Result<Vec<LimitInfo>> {
        let mut limits = self.inner.backend.limits().await?;
        limits.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(limits)
    }

    /// Sets what a limit allows in place of what its declaration says, for all workers, within about a second; for
    /// poll-only ones none of whose tasks had a limit without a key, within ten. It holds until it is
    /// [cleared](Client::clear_limit), whatever is deployed or rolled back meanwhile, and so under each name that the task has had.
    /// Attempts that run go on, and so does what a process has won that is stopped just then; where more run than are allowed, none
    /// starts until enough have ended. Where a worker is stopped by the system with the limit locked, this waits for as long as the
    /// database allows that, which is about three seconds.
    ///
    /// A task without a limit of its own can be given one. A limit with a key can be set as a whole, and for single values:
    /// what is set for one value goes before what holds for all.
    ///
    /// ```
    /// # use pgq::{Allow, LimitRef};
    /// # #[pgq::task(limit(concurrency = 2, key = "tenant"))]
    /// # async fn send(tenant: String, to: String) -> Result<(), pgq::BoxError> { Ok(()) }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> pgq::Result<()> {
    /// # let client = pgq::Client::memory();
    /// # let worker = pgq::testing::stepper::<()>(&client, pgq::tasks![send], ()).await?;
    /// client.set_limit(LimitRef::of::<send>().key("tenant").value("vip"), Allow::at_once(20)).await?;
    /// client.set_limit(LimitRef::of::<send>(), Allow::at_once(0)).await?; // `send` stands still
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// There is no such limit or task, a number is out of bounds, or the database can't be reached.
    pub async fn set_limit(&self, limit: LimitRef, allow: Allow) -> Result<()> {
        let (bounds, mut set) = (allow.ready()?, false);
        for name in self.limits_named(&limit).await? {
            set |= self.inner.backend.set_limit(name, Some(bounds)).await?;
        }
        if set {
            return Ok(());
        }
        Err(Error::invalid(format!("the limit `{}` is gone: nobody declares it any more", limit.shown())))
    }

    /// From now on the limit allows what its declaration says, or for a value of its key what the limit does; where nobody
    /// declares it, it is gone. Whether anything else was set.
    ///
    /// # Errors
    /// There is no such limit or task, or the database can't be reached.
    pub async fn clear_limit(&self, limit: LimitRef) -> Result<bool> {
        let mut cleared = false;
        for name in self.limits_named(&limit).await? {
            cleared |= self.inner.backend.set_limit(name, None).await?;
        }
        Ok(cleared)
    }

    /// The limit that is meant, and those of the task's other names, whose jobs or workers there may be.
    async fn limits_named(&self, limit: &LimitRef) -> Result<Vec<LimitName>> {
        literal::name(limit.owner.name()).map_err(|error| Error::invalid(format!("the name of a limit: {error}")))?;
        let kept = self.inner.backend.limits().await?;
        if limit.value.is_some() && limit.key.is_none() {
            return Err(self.unknown_limit(limit, &kept).await?);
        }
        let declared = match &limit.owner {
            Owner::Task(task) => self.inner.backend.declarations(Some(task.clone())).await?,
            Owner::Tasks(_) => Vec::new(),
        };
        let is_kept = |name: &str| kept.iter().any(|known| known.full_name == name);
        let gate = |name: &str| limit.value.as_ref().map(|value| gate_name(name, value));
        let names = declared.iter().flat_map(|task| task.aliases().chain([&*task.name]));
        let names = names.map(|name| full_name(Some(name), name, limit.key.as_deref())).chain([limit.full_name()]);
        let names: BTreeSet<String> = names.filter(|name| is_kept(name)).collect();
        let known = names.into_iter().map(|name| LimitName { gate: gate(&name), limit: name, task: None });
        // What has a key is told when a job is enqueued, by the task's own code. An earlier name may be the one again after a rollback.
        let all: BTreeSet<&str> = declared.iter().flat_map(|task| task.aliases().chain([&*task.name])).collect();
        let unlimited = all.into_iter().filter(|_| limit.key.is_none()).filter_map(|task| {
            let limit = full_name(Some(task), task, None);
            (!is_kept(&limit)).then(|| LimitName { limit, task: Some(task.to_owned()), gate: None })
        });
        let meant: Vec<LimitName> = known.chain(unlimited).collect();
        if meant.is_empty() {
            return Err(self.unknown_limit(limit, &kept).await?);
        }
        Ok(meant)
    }

    async fn unknown_limit(&self, limit: &LimitRef, kept: &[LimitInfo]) -> Result<Error> {
        let tasks = self.inner.backend.declarations(None).await?;
        let hint = hint(limit, &Known::all(kept, &tasks));
        let whose = if matches!(limit.owner, Owner::Task(_)) { "of a task's own" } else { "that tasks share" };
        let said = match (&limit.key, &limit.value) {
            (None, Some(_)) => "expected a key beside the value".to_owned(),
            _ => format!("there is no limit `{}` {whose}", limit.shown()),
        };
        Ok(Error::invalid(format!("{said}: {hint}")))
    }
}
