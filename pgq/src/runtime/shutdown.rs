//! Coming to an end, in order.
//!
//! ```text
//! asked ──▶ nothing more is claimed ──▶ handlers end by themselves ──▶ tokens fire ──▶ handlers are dropped
//!                                        (the drain period)             (a moment)      (handed back)
//!       ──▶ what is known is written ──▶ the worker is known no longer ──▶ who asked is told what was discarded
//!       ──▶ resources are closed
//! ```
//!
//! Each step is bounded, also where the database gives no answer or a handler blocks its thread: what is left then is freed
//! when the lease is over. Whoever insists skips the drain period. A worker that was declared gone skips it too: what it
//! runs is others' by now.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::claimer::Claimer;
use super::completer::Completer;
use super::discards::Herald;
use super::engine::{Engine, Halt};
use super::heartbeat::Heartbeat;
use super::maintenance::{Promoter, Pruner, Rescuer};
use super::service::{Service, drive};
use crate::error::{Error, Kind, Result};
use crate::platform::{pause, spawn, spawn_thread, within};
use crate::task::Resources;

/// How long handlers have to end by themselves once their tokens have fired.
const GRACE: Duration = Duration::from_secs(1);
/// How long to try to write the last ends.
const LAST_WRITES: Duration = Duration::from_secs(10);
/// How long the program has to take note of the last jobs that were discarded.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Asks a worker to stop, from anywhere. Clones ask the same worker.
#[derive(Clone, Debug)]
pub struct Stopper {
    halt: Halt,
    hand_back: CancellationToken,
}

impl Stopper {
    pub(super) fn of(engine: &Engine) -> Self {
        Self { halt: engine.halt.clone(), hand_back: CancellationToken::new() }
    }

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
pub(super) struct Services {
    claiming: Vec<JoinHandle<()>>,
    completing: JoinHandle<()>,
    telling: JoinHandle<()>,
}

impl Services {
    pub(super) fn start(engine: &Arc<Engine>) -> Result<Self> {
        let (close, drain) = (&engine.halt.close, &engine.halt.drain);
        spawn_thread("pgq-heartbeat", {
            let (engine, close) = (Arc::clone(engine), close.clone());
            move || drive(Heartbeat::new(Arc::clone(&engine)), engine, close)
        })
        .map_err(|error| Error::new(Kind::Interrupted, "the heartbeat's thread could not be started").because(error))?;
        let claiming = vec![
            start(Claimer::new(Arc::clone(engine)), engine, drain),
            start(Promoter(Arc::clone(engine)), engine, drain),
            start(Rescuer(Arc::clone(engine)), engine, drain),
            start(Pruner(Arc::clone(engine)), engine, drain),
        ];
        let completing = start(Completer::new(Arc::clone(engine)), engine, close);
        let telling = start(Herald(Arc::clone(engine)), engine, close);
        Ok(Self { claiming, completing, telling })
    }
}

fn start<S: Service + 'static>(service: S, engine: &Arc<Engine>, stop: &CancellationToken) -> JoinHandle<()> {
    spawn(drive(service, Arc::clone(engine), stop.clone()))
}

/// Waits for the end, and brings it about in order.
pub(super) struct Supervisor<R> {
    pub(super) engine: Arc<Engine>,
    pub(super) services: Services,
    pub(super) resources: Arc<R>,
    pub(super) drain: Duration,
    pub(super) stop: Stopper,
}

impl<R: Resources> Supervisor<R> {
    pub(super) async fn supervise(self) -> Result<()> {
        let halt = self.engine.halt.clone();
        let Services { mut claiming, completing, telling } = self.services;
        tokio::select! {
            () = halt.drain.cancelled() => {}
            () = halt.lost.cancelled() => {}
        }
        halt.drain.cancel();
        // Each ends after the turn that it is in. A statement that gets no answer must not hold up the end: after the drain
        // period, or a moment after somebody insisted, its service is dropped, and what it may have claimed is handed back
        // with the rest. Never sooner: a transaction that is dropped while it begins stays open on its connection, and would
        // swallow the ends that are written on it.
        let services = async {
            for service in &mut claiming {
                let _ = service.await;
            }
        };
        tokio::select! {
            () = services => {}
            () = self.engine.platform.clock.sleep(self.drain.max(GRACE)) => {}
            () = insisted_for_a_moment(&self.stop) => {}
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
        let _ = within(LAST_WORDS, async {
            let _ = telling.await;
            self.engine.discards.flush().await;
        })
        .await;
        self.resources.close().await;
        ended
    }
}

/// A moment after somebody insisted: by the machine's time, as it bounds how long a connection may give no answer.
async fn insisted_for_a_moment(stop: &Stopper) {
    stop.hand_back.cancelled().await;
    pause(GRACE).await;
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
        engine.session.deregister(engine.held.is_empty() && engine.doubts.count() == 0).await
    };
    let timed_out =
        || Err(Error::new(Kind::Interrupted, "the last ends could not be written: their jobs will run again"));
    within(LAST_WRITES, writes).await.unwrap_or_else(timed_out)
}

fn declared_gone() -> Error {
    let message = "this worker was silent for longer than its lease and declared gone: its jobs run elsewhere";
    Error::new(Kind::Interrupted, message)
}
