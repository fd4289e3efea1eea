//! The worker: a value that runs tasks inside a larger program.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use pgq_core::{Lease, literal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::claimer::Claimer;
use super::completer::Completer;
use super::engine::{Engine, Halt};
use super::heartbeat::{Heartbeat, LEASE};
use super::maintenance::{Promoter, Pruner, Rescuer};
use super::service::{Service, drive};
use super::stepper::Stepper;
use crate::Client;
use crate::backend::{Declaration, Registration, Want};
use crate::error::{Error, Kind, Result};
use crate::platform::{Terminations, pause, spawn, spawn_thread, within};
use crate::task::{Env, Resources, TaskEntry, Tasks};

/// How many attempts a worker runs at once, unless told otherwise.
pub(super) const SLOTS: usize = 50;
/// For how long a stopping worker lets its handlers go on: a little less than the half minute that most orchestrators
/// give.
pub(super) const DRAIN: Duration = Duration::from_secs(25);
/// How long handlers have to end by themselves once their tokens have fired.
const GRACE: Duration = Duration::from_secs(1);
/// How long to try to write the last ends.
const LAST_WRITES: Duration = Duration::from_secs(10);

/// What a worker is made of.
#[must_use = "a worker runs once it is spawned"]
pub struct WorkerBuilder<R: Resources> {
    client: Option<Client>,
    tasks: Option<Tasks<R>>,
    only: Option<Vec<String>>,
    queues: Option<Vec<String>>,
    slots: usize,
    drain: Duration,
    lease: Duration,
    resources: Option<R>,
}

impl<R: Resources> WorkerBuilder<R> {
    fn new() -> Self {
        Self {
            client: None,
            tasks: None,
            only: None,
            queues: None,
            slots: SLOTS,
            drain: DRAIN,
            lease: LEASE,
            resources: None,
        }
    }

    /// Where the jobs are. Needed.
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Runs the tasks of a list, [`tasks![…]`](crate::tasks), instead of all that are registered in the binary.
    pub fn tasks(mut self, tasks: Tasks<R>) -> Self {
        self.tasks = Some(tasks);
        self
    }

    /// Of these, runs only the tasks of these names.
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

    /// For how long a stopping worker lets its handlers go on before it hands their jobs back; 25 s unless said otherwise.
    pub fn drain_timeout(mut self, span: Duration) -> Self {
        self.drain = span;
        self
    }

    /// For how long the worker may be silent before its jobs are given to others, at least 1 s; 15 s unless said otherwise.
    /// It gives a sign of life fifteen times in that span, from a thread of its own. Others look for silent workers every
    /// 3 s, or every half of their own lease where that is less, and count from no earlier than their own start.
    pub fn lease(mut self, span: Duration) -> Self {
        self.lease = span;
        self
    }

    /// Uses resources that are there already, instead of [`Resources::init`].
    pub fn resources(mut self, resources: R) -> Self {
        self.resources = Some(resources);
        self
    }

    /// Starts it. Everything that can be wrong is found before the first claim.
    ///
    /// # Errors
    /// No task, two of one name, a resource that a task misses, a queue's or task's name that isn't valid, a schema
    /// that is absent or of another version, a database that can't be reached, or resources that could not be made.
    pub async fn spawn(self) -> Result<Worker<R>> {
        let drain = self.drain;
        let (engine, resources, tasks) = self.prepare().await?;
        let stop = Stopper { halt: engine.halt.clone(), hand_back: CancellationToken::new() };
        let services = Services::start(&engine)?;
        let supervisor = Supervisor { engine, services, resources, drain, stop: stop.clone() };
        let supervisor = Some(spawn(supervisor.supervise()));
        Ok(Worker { stop, tasks, supervisor, resources: PhantomData })
    }

    /// The same worker, but for a test that takes every turn by hand.
    ///
    /// # Errors
    /// As [`WorkerBuilder::spawn`].
    pub(crate) async fn stepper(self) -> Result<Stepper> {
        let (engine, _, _) = self.prepare().await?;
        Ok(Stepper::new(engine))
    }

    async fn prepare(self) -> Result<(Arc<Engine>, Arc<R>, Vec<TaskEntry>)> {
        let client = self.client.ok_or_else(|| Error::invalid("a worker needs a client: `.client(client)`"))?;
        if self.slots == 0 {
            return Err(Error::invalid("expected at least 1 slot, got 0"));
        }
        if self.lease < Duration::from_secs(1) {
            return Err(Error::invalid(format!("expected a lease of at least 1 s, got {:?}", self.lease)));
        }
        let tasks = self.tasks.map_or_else(Tasks::registered, Ok)?;
        let tasks = self.only.iter().try_fold(tasks, |tasks, names| tasks.only(names))?.checked()?;
        let entries: Vec<TaskEntry> = tasks.entries().copied().collect();
        let wants = wants(&entries, self.queues.as_deref(), self.slots)?;
        client.check().await?;
        let resources = Arc::new(match self.resources {
            Some(resources) => resources,
            None => R::init(&Env::new(client.clone())).await?,
        });
        let registration = introduce(&client, self.lease, &entries, &wants);
        let session = client.backend().register(registration).await?;
        let engine = Engine::new(session, client, tasks.bind(&resources), wants.into(), self.slots, self.lease);
        Ok((Arc::new(engine), resources, entries))
    }
}

impl<R: Resources> fmt::Debug for WorkerBuilder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerBuilder").field("slots", &self.slots).field("tasks", &self.tasks).finish_non_exhaustive()
    }
}

/// Every task (and earlier name of one) in every queue that is served.
fn wants(tasks: &[TaskEntry], queues: Option<&[String]>, slots: usize) -> Result<Vec<Want>> {
    let queues: BTreeSet<&str> = match queues {
        Some(queues) => queues.iter().map(String::as_str).collect(),
        None => tasks.iter().map(|task| task.options.queue()).collect(),
    };
    let cap = u32::try_from(slots).unwrap_or(u32::MAX);
    let mut wants = Vec::new();
    for queue in queues {
        literal::name(queue).map_err(|error| Error::invalid("a queue's name isn't valid").because(error))?;
        for name in tasks.iter().flat_map(|task| task.aliases.iter().chain([&task.name])) {
            wants.push(Want { queue: queue.into(), task: (*name).into(), cap });
        }
    }
    Ok(wants)
}

fn introduce(client: &Client, span: Duration, tasks: &[TaskEntry], wants: &[Want]) -> Registration {
    Registration {
        lease: Lease(client.platform().random_i64()),
        instance: Uuid::now_v7(),
        host: host(),
        pid: std::process::id(),
        span,
        wants: wants.to_vec(),
        tasks: tasks.iter().map(declare).collect(),
    }
}

/// The machine's name, for people; empty where nobody tells.
fn host() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
    read.map(|name| name.trim().to_owned()).unwrap_or_default()
}

/// Spans are published in microseconds.
fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

fn declare(task: &TaskEntry) -> Declaration {
    let options = &task.options;
    Declaration {
        name: task.name.to_owned(),
        queue: options.queue().to_owned(),
        options: serde_json::json!({
            "priority": options.priority().get(),
            "attempts": options.attempts(),
            "retry": format!("{:?}", options.retry()),
            "timeout": options.timeout().map(micros),
            "expires_in": options.expires_in().map(micros),
            "keep": {
                "completed": micros(options.keep().completed),
                "cancelled": micros(options.keep().cancelled),
                "discarded": micros(options.keep().discarded),
            },
        }),
        schema: (task.schema)(),
    }
}

/// A worker that runs.
///
/// Dropping it stops it as [`Worker::stop`] does, but waits for nothing: keep it, and stop it.
#[must_use = "dropping a worker stops it"]
pub struct Worker<R: Resources> {
    stop: Stopper,
    tasks: Vec<TaskEntry>,
    supervisor: Option<JoinHandle<Result<()>>>,
    resources: PhantomData<fn() -> R>,
}

impl<R: Resources> Worker<R> {
    /// A worker in the making.
    pub fn builder() -> WorkerBuilder<R> {
        WorkerBuilder::new()
    }

    /// What asks it to stop, for whoever doesn't have the worker itself.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stop.clone()
    }

    /// Its tasks, by crate and name.
    pub(super) fn tasks(&self) -> &[TaskEntry] {
        &self.tasks
    }

    /// Stops it: nothing more is claimed, handlers may go on for the drain period, then their tokens fire and what is
    /// still left is handed back with its attempt refunded. All ends that are known are written.
    ///
    /// # Errors
    /// The last ends could not be written; their jobs run again once the lease is over.
    pub async fn stop(mut self) -> Result<()> {
        self.stop.ask();
        self.ended().await
    }

    /// Waits until it has ended: because somebody asked its [`stopper`](Worker::stopper), or because it was declared gone.
    /// Cancelling the wait is harmless, so that it can stand in a `select!` beside other reasons to stop.
    ///
    /// # Errors
    /// As [`Worker::stop`], and where it was declared gone.
    pub async fn ended(&mut self) -> Result<()> {
        match &mut self.supervisor {
            None => Ok(()),
            Some(supervisor) => {
                let ended = supervisor.await;
                self.supervisor = None;
                ended.unwrap_or_else(|error| {
                    Err(Error::new(Kind::Interrupted, "the runtime was shut down").because(error))
                })
            }
        }
    }

    /// Runs until the system asks the process to end (SIGTERM, SIGINT; Ctrl-C elsewhere), then stops as [`Worker::stop`]
    /// does; a second request hands back at once what still runs. This is how [`run`](crate::run) ends.
    ///
    /// # Errors
    /// As [`Worker::ended`].
    pub async fn until_terminated(self) -> Result<()> {
        let terminations = Terminations::listen()
            .map_err(|error| Error::new(Kind::Interrupted, "the system's signals can't be heard").because(error))?;
        self.until(terminations).await
    }

    pub(super) async fn until(mut self, mut terminations: Terminations) -> Result<()> {
        let stop = self.stopper();
        spawn(async move {
            terminations.next().await;
            stop.ask();
            terminations.next().await;
            stop.insist();
        });
        self.ended().await
    }
}

impl<R: Resources> Drop for Worker<R> {
    fn drop(&mut self) {
        self.stop.ask();
    }
}

impl<R: Resources> fmt::Debug for Worker<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("tasks", &self.tasks).finish_non_exhaustive()
    }
}

/// Asks a worker to stop, from anywhere. Clones ask the same worker.
#[derive(Clone, Debug)]
pub struct Stopper {
    halt: Halt,
    hand_back: CancellationToken,
}

impl Stopper {
    /// Soon: nothing more is claimed, and handlers may go on for the drain period.
    pub fn ask(&self) {
        self.halt.drain.cancel();
    }

    /// Whether handlers were left behind that hadn't ended.
    pub(super) fn left_handlers(&self) -> bool {
        self.halt.abort.is_cancelled()
    }

    /// Now: what runs is told to end, and handed back after a moment's grace.
    pub fn insist(&self) {
        self.halt.drain.cancel();
        self.hand_back.cancel();
    }
}

/// The services, and how to wait for them.
struct Services {
    claiming: Vec<JoinHandle<()>>,
    completing: JoinHandle<()>,
}

impl Services {
    fn start(engine: &Arc<Engine>) -> Result<Self> {
        let (platform, halt) = (engine.platform.clone(), engine.halt.clone());
        let heartbeat = Arc::clone(engine);
        spawn_thread("pgq-heartbeat", {
            let (platform, close) = (platform.clone(), halt.close.clone());
            move || drive(Heartbeat::new(heartbeat), platform, close)
        })
        .map_err(|error| Error::new(Kind::Interrupted, "the heartbeat's thread could not be started").because(error))?;
        let claiming = vec![
            start(Claimer::new(Arc::clone(engine)), engine),
            start(Promoter(Arc::clone(engine)), engine),
            start(Rescuer(Arc::clone(engine)), engine),
            start(Pruner(Arc::clone(engine)), engine),
        ];
        let completing = spawn(drive(Completer::new(Arc::clone(engine)), platform, halt.close));
        Ok(Self { claiming, completing })
    }
}

fn start<S: Service + 'static>(service: S, engine: &Engine) -> JoinHandle<()> {
    spawn(drive(service, engine.platform.clone(), engine.halt.drain.clone()))
}

/// Waits for the end, and brings it about in order.
struct Supervisor<R> {
    engine: Arc<Engine>,
    services: Services,
    resources: Arc<R>,
    drain: Duration,
    stop: Stopper,
}

impl<R: Resources> Supervisor<R> {
    async fn supervise(self) -> Result<()> {
        let halt = self.engine.halt.clone();
        let Services { mut claiming, completing } = self.services;
        tokio::select! {
            () = halt.drain.cancelled() => {}
            () = halt.lost.cancelled() => {}
        }
        halt.drain.cancel();
        // A statement that gets no answer must not hold up the end: after the drain period its service is dropped, and what
        // it may have claimed is handed back with the rest.
        let services = async {
            for service in &mut claiming {
                let _ = service.await;
            }
        };
        tokio::select! {
            () = services => {}
            () = self.engine.platform.clock.sleep(self.drain.max(GRACE)) => {}
            () = self.stop.hand_back.cancelled() => {}
        }
        for service in &claiming {
            service.abort();
        }
        // Who drains isn't worth waking. If it can't be said, the flag runs out.
        let _ = within(GRACE, self.engine.session.doze(None)).await;
        wind_down(&self.engine, self.drain, &self.stop).await;
        halt.close.cancel();
        let _ = within(LAST_WRITES, completing).await;
        let ended = if halt.lost.is_cancelled() { Err(declared_gone()) } else { Ok(()) };
        let ended = ended.and(last_writes(&self.engine).await);
        self.resources.close().await;
        ended
    }
}

/// From here nothing is started; what runs ends by itself, is asked to, or is dropped.
async fn wind_down(engine: &Engine, drain: Duration, stop: &Stopper) {
    let clock = &engine.platform.clock;
    if !engine.halt.lost.is_cancelled() {
        tokio::select! {
            () = engine.slots.idle() => return,
            () = clock.sleep(drain) => {}
            () = stop.hand_back.cancelled() => {}
            () = engine.halt.lost.cancelled() => {}
        }
    }
    engine.halt.hurry.cancel();
    tokio::select! {
        () = engine.slots.idle() => return,
        () = clock.sleep(GRACE) => {}
    }
    engine.halt.abort.cancel();
    // Whoever blocks a thread of the runtime isn't dropped until he gives it back: his job is handed back all the same.
    let _ = within(GRACE, engine.slots.idle()).await;
}

/// Writes what is known, and leaves.
async fn last_writes(engine: &Arc<Engine>) -> Result<()> {
    let mut completer = Completer::new(Arc::clone(engine));
    let writes = async {
        while engine.outbox.len() > 0 {
            if !matches!(completer.flush().await, Ok(0)) {
                pause(Duration::from_millis(50)).await;
            }
        }
        engine.session.deregister(engine.held.is_empty() && !engine.is_unsure()).await
    };
    let timed_out =
        || Err(Error::new(Kind::Interrupted, "the last ends could not be written: their jobs will run again"));
    within(LAST_WRITES, writes).await.unwrap_or_else(timed_out)
}

fn declared_gone() -> Error {
    let message = "this worker was silent for longer than its lease and declared gone: its jobs run elsewhere";
    Error::new(Kind::Interrupted, message)
}
