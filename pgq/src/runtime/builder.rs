//! A worker in the making: everything that can be wrong with it is found here, before its first claim.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::engine::Halt;
use super::fields::keys_without_fields;
use super::heartbeat::{LEASE, check_lease};
use super::outline::Outline;
use super::patience::Patience;
use super::plan::{Duties, Endings};
use super::registration::{queues_without_tasks, wants};
use super::run::warn;
use super::stepper::Stepper;
use super::worker::Worker;
use crate::Client;
use crate::error::{Error, Result};
use crate::task::{Layer, Resources, TaskEntry, Tasks};

/// How many attempts a worker runs at once, unless told otherwise.
pub(super) const SLOTS: usize = 50;
/// For how long a stopping worker lets its handlers go on: a little less than the half minute that most orchestrators
/// give.
pub(super) const DRAIN: Duration = Duration::from_secs(25);

/// What a worker is made of.
#[expect(clippy::struct_excessive_bools, reason = "one for each wish without a value")]
#[must_use = "a worker runs once it is spawned"]
pub struct WorkerBuilder<R: Resources> {
    client: Option<Client>,
    tasks: Option<Tasks<R>>,
    only: Option<Vec<String>>,
    queues: Option<Vec<String>>,
    slots: usize,
    blocking_slots: Option<usize>,
    drain: Duration,
    lease: Duration,
    endings: Endings,
    synchronous_commit: bool,
    prune_schedules: bool,
    tasks_only: bool,
    schedules_only: bool,
    layers: Vec<Arc<dyn Layer>>,
    resources: Option<R>,
    aloud: bool,
}

impl<R: Resources> WorkerBuilder<R> {
    pub(super) fn new() -> Self {
        Self {
            client: None,
            tasks: None,
            only: None,
            queues: None,
            slots: SLOTS,
            blocking_slots: None,
            drain: DRAIN,
            lease: LEASE,
            endings: Endings::default(),
            synchronous_commit: false,
            prune_schedules: false,
            tasks_only: false,
            schedules_only: false,
            layers: Vec::new(),
            resources: None,
            aloud: false,
        }
    }

    /// Where the jobs are. Needed. Of a client that is [poll-only](crate::ClientBuilder::poll_only) the worker is so too.
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Runs the tasks of a list, [`tasks![…]`](crate::tasks), instead of all that are registered in the binary.
    pub fn tasks(mut self, tasks: Tasks<R>) -> Self {
        self.tasks = Some(tasks);
        self
    }

    /// Of these, runs only the tasks of these names. What the others declare of schedules and limits counts all the same: it is
    /// the program that declares them.
    pub fn only<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.only = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Serves exactly these queues, instead of those that its tasks name.
    pub fn queues<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.queues = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// How many attempts run at once, at least 1; 50 unless said otherwise.
    pub fn slots(mut self, slots: usize) -> Self {
        self.slots = slots;
        self
    }

    /// How many attempts of blocking tasks, those that are a plain `fn`, run at once, each on a thread; at least 1, as many
    /// as there are slots unless said otherwise. For tasks that keep a processor busy, as many as there are processors. A
    /// handler that goes on when its attempt is over, which can't be stopped, counts until it ends.
    pub fn blocking_slots(mut self, slots: usize) -> Self {
        self.blocking_slots = Some(slots);
        self
    }

    /// For how long a stopping worker lets its handlers go on before it hands their jobs back; 25 s unless said otherwise.
    pub fn drain_timeout(mut self, span: Duration) -> Self {
        self.drain = span;
        self
    }

    /// For how long the worker may be silent before its jobs are given to others, from 1 s to 1 h; 15 s unless said otherwise.
    /// It gives a sign of life at least thirteen times in that span, from a thread of its own: with a shorter lease an idle worker
    /// sends more statements. Others look for silent workers every 3 s, or every half of their own lease where that is less, and count
    /// from no earlier than their own start.
    pub fn lease(mut self, span: Duration) -> Self {
        self.lease = span;
        self
    }

    /// Lets its claims and ends wait for the disk, and for standbys, as PostgreSQL's `synchronous_commit` is set for its role: then
    /// a crash of the server takes none of them back. Otherwise it may forget those of the last moments, whose jobs are claimed,
    /// or run, once more. What enqueues jobs is as its own connection has it set either way.
    pub fn synchronous_commit(mut self) -> Self {
        self.synchronous_commit = true;
        self
    }

    /// Stops by itself when there is nothing left to do: when no job of its tasks and queues is available or running, here or
    /// elsewhere, or waits for its next attempt. Jobs whose time has not come are left, those that a handler has snoozed too.
    pub fn drain(mut self) -> Self {
        self.endings.drain = true;
        self
    }

    /// Stops with an error when the connection fails by which it hears of new jobs, instead of looking by itself about every
    /// second until it hears again: for those who would rather have the process started anew. Not with a client that is poll-only.
    pub fn shutdown_on_listener_failure(mut self) -> Self {
        self.endings.deaf = true;
        self
    }

    /// Looks every minute for schedules that were declared and that no worker declares any more, none that lives and none that
    /// left less than ten minutes ago, and deletes them. So an old version's go ten minutes after its last worker, and those of
    /// programs that are started anew stay. Where several programs share their tables, one that is away for longer loses its
    /// schedules until it is back: they begin anew then. What was created at run time stays.
    pub fn prune_schedules(mut self) -> Self {
        self.prune_schedules = true;
        self
    }

    /// Runs jobs, and leaves it to other workers to make those of schedules. What its tasks declare of schedules counts all the
    /// same.
    pub fn tasks_only(mut self) -> Self {
        self.tasks_only = true;
        self
    }

    /// Makes the jobs of schedules, of all that there are, and leaves it to other workers to run them.
    pub fn schedules_only(mut self) -> Self {
        self.schedules_only = true;
        self
    }

    /// Puts a layer around every attempt: the first that is added is the outermost, and those of
    /// [`Resources::layers`] and those of the task itself are within them all.
    pub fn layer(mut self, layer: impl Layer) -> Self {
        self.layers.push(Arc::new(layer));
        self
    }

    /// Uses resources that are there already, instead of [`Resources::init`].
    pub fn resources(mut self, resources: R) -> Self {
        self.resources = Some(resources);
        self
    }

    /// Begins anew inside the process, after a pause that grows, where the worker would end because of what surrounds it: a
    /// database that can't be reached when it starts, resources that can't be made, new jobs that can't be heard of
    /// ([`shutdown_on_listener_failure`](WorkerBuilder::shutdown_on_listener_failure)). [`spawn`](WorkerBuilder::spawn) then
    /// waits until it could start. What no new beginning mends ends it all the same: options that aren't valid, a wrong
    /// password, tables that are absent or of another version, a resource that a task misses. It never begins anew after it was
    /// asked to stop, and where it [drains](WorkerBuilder::drain), after that.
    ///
    /// Before it begins anew, what runs may go on for the drain period and is then handed back. Its resources are kept: it is its
    /// connections, its lease and all that it knows of jobs that are new.
    pub fn restart(mut self) -> Self {
        self.endings.restart = true;
        self
    }

    /// Of a program: tells standard error what it waits for.
    pub(super) fn aloud(mut self) -> Self {
        self.aloud = true;
        self
    }

    /// Starts it. Everything that can be wrong is found before the first claim. A server that is full, starts up, has to undo
    /// what was asked of it for somebody else's sake, or ends the connection, is asked again for up to 30 s.
    ///
    /// # Errors
    /// No task, two of one name, a resource that a task misses, a queue's or task's name that isn't valid, a schema
    /// that is absent or of another version, a database that can't be reached, or only through a pooler in transaction mode of
    /// which the client doesn't know ([`ClientBuilder::poll_only`](crate::ClientBuilder::poll_only)), or resources that could
    /// not be made.
    pub async fn spawn(self) -> Result<Worker<R>> {
        let drain = self.drain;
        let outline = self.outline()?;
        let doubt = outline.self_test().await?;
        Worker::start(outline.plan().await?, drain, doubt).await
    }

    /// The same worker, but for a test that takes every turn by hand; [`testing::stepper`](crate::testing::stepper) is the
    /// short form.
    ///
    /// # Errors
    /// As [`WorkerBuilder::spawn`].
    pub async fn stepper(self) -> Result<Stepper> {
        Ok(Stepper::new(self.outline()?.plan().await?.open(Halt::default()).await?))
    }

    fn duties(&self) -> Result<Duties> {
        match (self.tasks_only, self.schedules_only) {
            (true, true) => Err(Error::invalid("expected a worker for tasks only or for schedules only, got both")),
            (_, true) if self.endings.drain => {
                Err(Error::invalid("expected a worker that runs jobs to drain, got one for schedules only"))
            }
            (true, _) => Ok(Duties::Tasks),
            (_, true) => Ok(Duties::Schedules),
            _ => Ok(Duties::All),
        }
    }

    /// Refuses what can't be meant.
    fn outline(self) -> Result<Outline<R>> {
        let duties = self.duties()?;
        let client = self.client.clone().ok_or_else(|| Error::invalid("a worker needs a client: `.client(client)`"))?;
        if client.is_poll_only() && self.endings.deaf {
            return Err(Error::invalid(
                "expected a worker that hears of new jobs, to stop when it can't: this one is poll-only",
            ));
        }
        if self.slots == 0 {
            return Err(Error::invalid("expected at least 1 slot, got 0"));
        }
        if self.blocking_slots == Some(0) {
            return Err(Error::invalid("expected at least 1 slot for blocking tasks, got 0"));
        }
        check_lease(self.lease)?;
        let tasks = self.tasks.map_or_else(Tasks::registered, Ok)?.checked()?;
        // A worker of some of them is of the same version of the program as one of all.
        let program: Vec<TaskEntry> = tasks.entries().copied().collect();
        let tasks = self.only.iter().try_fold(tasks, |tasks, names| tasks.only(names))?;
        let entries: Vec<TaskEntry> = tasks.entries().copied().collect();
        let doubts = queues_without_tasks(self.queues.as_deref(), &program).into_iter();
        for doubt in doubts.chain(keys_without_fields(&program)) {
            warn(&doubt, self.aloud);
        }
        let mut wants = wants(&entries, self.queues.as_deref(), self.slots)?;
        if duties == Duties::Schedules {
            wants.clear();
        }
        Ok(Outline {
            patience: Patience::new(client.platform(), self.endings.restart, self.aloud),
            client,
            program,
            tasks,
            entries,
            wants,
            slots: self.slots,
            blocking_slots: self.blocking_slots.unwrap_or(self.slots),
            lease: self.lease,
            endings: self.endings,
            duties,
            synchronous_commit: self.synchronous_commit,
            prunes_schedules: self.prune_schedules,
            layers: self.layers,
            resources: self.resources,
        })
    }
}

impl<R: Resources> fmt::Debug for WorkerBuilder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerBuilder").field("slots", &self.slots).field("tasks", &self.tasks).finish_non_exhaustive()
    }
}
