//! Clock, randomness, spawning and signals as one place: nothing else in the crate touches them (clippy's
//! `disallowed_methods` holds that), so that a test can stop time and repeat what chance did.
#![allow(clippy::disallowed_methods, reason = "this is the one place that may")]

use std::any::Any;
use std::future::Future;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use pgq_core::Timestamp;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Everything that makes one run differ from the next.
#[derive(Clone, Debug)]
pub(crate) struct Platform {
    pub(crate) clock: Clock,
    random: Arc<Mutex<fastrand::Rng>>,
}

impl Platform {
    /// The machine's own time and chance.
    pub(crate) fn system() -> Self {
        Self { clock: Clock::System, random: Arc::new(Mutex::new(fastrand::Rng::new())) }
    }

    /// Time that a test moves, chance that repeats.
    pub(crate) fn manual(clock: ManualClock) -> Self {
        Self { clock: Clock::Manual(clock), random: Arc::new(Mutex::new(fastrand::Rng::with_seed(7))) }
    }

    /// Evenly from 0 to 1.
    pub(crate) fn random(&self) -> f64 {
        self.rng(fastrand::Rng::f64)
    }

    /// Evenly over all of `i64`.
    pub(crate) fn random_i64(&self) -> i64 {
        self.rng(|rng| rng.i64(..))
    }

    /// As [`Platform::random_i64`], but by the machine's own chance whatever the platform.
    pub(crate) fn truly_random_i64() -> i64 {
        fastrand::i64(..)
    }

    /// A number for a worker instance that no other has, in the order of their starts: a uuid of version 7.
    pub(crate) fn instance(&self) -> Uuid {
        let millis = u64::try_from(self.clock.now().as_micros() / 1_000).unwrap_or_default();
        let mut random = [0; 10];
        self.rng(|rng| rng.fill(&mut random));
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    fn rng<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        draw(&mut self.random.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How long this process has been up, since somebody first asked; for spans that no test has to hold.
pub(crate) fn uptime() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// A time that goes on while the machine is suspended, where the system has such a clock: leases run out meanwhile too.
#[cfg(target_os = "linux")]
fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(not(target_os = "linux"))]
fn since_boot() -> Duration {
    uptime()
}

/// Where time comes from.
#[derive(Clone, Debug)]
pub(crate) enum Clock {
    System,
    Manual(ManualClock),
}

impl Clock {
    /// The time of this process. What is written is dated by the database instead, see [`Clock::fixed`].
    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Self::System => SystemTime::now().into(),
            Self::Manual(clock) => clock.now(),
        }
    }

    /// The time that a test has set, in place of the database's own.
    pub(crate) fn fixed(&self) -> Option<Timestamp> {
        match self {
            Self::System => None,
            Self::Manual(clock) => Some(clock.now()),
        }
    }

    /// Waits. On a manual clock, until a test has moved it so far.
    pub(crate) async fn sleep(&self, span: Duration) {
        match self {
            Self::System => tokio::time::sleep(span).await,
            Self::Manual(clock) => clock.sleep(span).await,
        }
    }

    /// A point from which spans are measured, unmoved when somebody sets the machine's clock or suspends the machine.
    pub(crate) fn mark(&self) -> Mark {
        match self {
            Self::System => Mark::System(since_boot()),
            Self::Manual(clock) => Mark::Manual(clock.clone(), clock.steady()),
        }
    }
}

/// A point in time, to measure from.
#[derive(Clone, Debug)]
pub(crate) enum Mark {
    System(Duration),
    Manual(ManualClock, Duration),
}

impl Mark {
    pub(crate) fn elapsed(&self) -> Duration {
        match self {
            Self::System(mark) => since_boot().saturating_sub(*mark),
            Self::Manual(clock, mark) => clock.steady().saturating_sub(*mark),
        }
    }
}

/// A clock that stands until it is moved. Clones are one clock.
#[derive(Clone, Debug)]
pub struct ManualClock {
    micros: Arc<AtomicI64>,
    /// By how much it was moved, in µs; not how it was set.
    moves: Arc<AtomicU64>,
    moved: watch::Sender<()>,
    /// By how many µs it moves on each time that somebody measures a span.
    tick: u64,
}

impl ManualClock {
    /// A clock that stands at an instant.
    #[must_use]
    pub fn at(start: Timestamp) -> Self {
        let micros = Arc::new(AtomicI64::new(start.as_micros()));
        Self { micros, moves: Arc::default(), moved: watch::Sender::new(()), tick: 0 }
    }

    /// The same, where time goes by each time that somebody measures it, for what decides by it twice.
    #[cfg(test)]
    pub(crate) fn ticking(self, tick: Duration) -> Self {
        Self { tick: u64::try_from(tick.as_micros()).unwrap_or(u64::MAX), ..self }
    }

    /// Where it stands.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst))
    }

    /// Moves it on, and wakes whoever waited for that.
    pub fn advance(&self, span: Duration) {
        let _ = self.micros.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |micros| {
            Some(Timestamp::from_micros(micros).saturating_add(span).as_micros())
        });
        self.moves.fetch_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX), Ordering::SeqCst);
        self.moved.send_replace(());
    }

    /// Sets it, as somebody sets the clock of a machine: it shows another time, and none has gone by.
    pub fn set(&self, now: Timestamp) {
        self.micros.store(now.as_micros(), Ordering::SeqCst);
    }

    /// How much time has gone by.
    fn steady(&self) -> Duration {
        Duration::from_micros(self.moves.fetch_add(self.tick, Ordering::SeqCst))
    }

    async fn sleep(&self, span: Duration) {
        let until = self.steady().saturating_add(span);
        let mut moved = self.moved.subscribe();
        while self.steady() < until {
            if moved.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Starts a future on the runtime of the caller.
pub(crate) fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    tokio::spawn(future)
}

/// Threads for functions that block, so many at most, apart from those of the runtime. Dropped, it waits for none of them.
#[derive(Debug)]
pub(crate) struct Threads(Option<Runtime>);

impl Threads {
    pub(crate) fn new(name: &str, most: usize) -> std::io::Result<Self> {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.thread_name(name).max_blocking_threads(most).build().map(|runtime| Self(Some(runtime)))
    }

    /// Runs a function on one of them, within the runtime of the caller; `Err` is its panic.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        function: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Box<dyn Any + Send>> {
        let Some(runtime) = &self.0 else { return Err(Box::new("the threads have ended")) };
        let home = Handle::current();
        let within_home = move || {
            let _home = home.enter();
            function()
        };
        match runtime.spawn_blocking(within_home).await {
            Ok(output) => Ok(output),
            Err(error) if error.is_panic() => Err(error.into_panic()),
            Err(error) => Err(Box::new(error.to_string())),
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Starts an OS thread with a runtime of its own, which `future` is built and driven on.
pub(crate) fn spawn_thread<F>(name: &str, future: impl FnOnce() -> F + Send + 'static) -> std::io::Result<()>
where
    F: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let body = move || runtime.block_on(async { future().await });
    std::thread::Builder::new().name(name.to_owned()).spawn(body).map(drop)
}

/// Leaves somebody else's lock alone for a moment, of the machine's time: no test's clock has to move for that.
pub(crate) async fn pause(span: Duration) {
    tokio::time::sleep(span).await;
}

/// Fails with `None` where `future` takes longer than `span` of the machine's time.
pub(crate) async fn within<F: Future>(span: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(span, future).await.ok()
}

/// The system's requests to end: SIGTERM and SIGINT, Ctrl-C elsewhere. From the moment at which this is made none is
/// missed, and none ends the process by itself.
#[derive(Debug)]
pub(crate) struct Terminations {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 2],
    #[cfg(not(unix))]
    signal: tokio::signal::windows::CtrlC,
}

impl Terminations {
    #[cfg(unix)]
    pub(crate) fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { signals: [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?] })
    }

    #[cfg(not(unix))]
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self { signal: tokio::signal::windows::ctrl_c()? })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        {
            let [term, int] = &mut self.signals;
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
        }
        #[cfg(not(unix))]
        self.signal.recv().await;
    }
}
