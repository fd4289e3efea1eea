//! Coming to an end, in order.
//!
//! ```text
//! asked ──▶ nothing more is claimed ──▶ handlers end by themselves ──▶ tokens fire ──▶ handlers are dropped
//!                                        (the drain period)             (a moment)      (handed back)
//!                                        what each had of limits is others' (`limits/parting.rs`)
//!       ──▶ what is known is written ──▶ the worker is known no longer ──▶ who asked is told what was discarded
//!       ──▶ resources are closed
//! ```
//!
//! Signs of life are given until `the worker is known no longer`: what it still tries to write is its own until then.
//!
//! Each step is bounded, also where the database gives no answer or a handler blocks its thread: what is left then is freed
//! when the lease is over. Whoever insists skips the drain period. A worker that was declared gone skips it too, as what it
//! runs is others' by now, and then registers anew. Who restarts goes as far as `the worker is known no longer` where it can't
//! hear of new jobs, and begins anew after a pause; its resources are kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pgq_core::JobId;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::claimer::Claimer;
use super::completer::Completer;
use super::discards::Herald;
use super::drainer::Drainer;
use super::engine::{Engine, Halt};
use super::handed::NAMED;
use super::heartbeat::Heartbeat;
use super::lapses::Watcher;
use super::limits::parting::{give, part};
use super::maintenance::{Promoter, Pruner, Rescuer, Sweeper};
use super::negotiator::Negotiator;
use super::outage::{Voice, is_told};
use super::plan::{Duties, Plan};
use super::registration::name;
use super::service::{Service, backoff, drive};
use super::teller::Teller;
use super::tenure::Keeper;
use super::ticker::Ticker;
use crate::backend::Lease;
use crate::error::{Error, Kind, Result};
use crate::platform::{pause, spawn, spawn_thread, within};
use crate::task::Resources;

/// How long handlers have to end by themselves once their tokens have fired.
const GRACE: Duration = Duration::from_secs(1);
/// How long to try to write the last ends.
const LAST_WRITES: Duration = Duration::from_secs(7);
/// How long those who write may take for the turn that they are in.
const LAST_TURN: Duration = Duration::from_secs(3);
/// How long to try to leave, whatever became of them.
const LEAVE: Duration = Duration::from_secs(3);
/// How long the program has to take note of the last jobs that were discarded.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Asks a worker to stop, from anywhere. Clones ask the same worker.
#[derive(Clone, Debug, Default)]
pub struct Stopper {
    asked: CancellationToken,
    hand_back: CancellationToken,
    left_handlers: Arc<AtomicBool>,
    drained: Arc<AtomicBool>,
}

impl Stopper {
    /// Soon: nothing more is claimed, and handlers may go on for the drain period.
    pub fn ask(&self) {
        self.asked.cancel();
    }

    /// Now: what runs is told to end, and handed back after a moment's grace.
    pub fn insist(&self) {
        self.asked.cancel();
        self.hand_back.cancel();
    }

    /// By the worker itself, as nothing is left to do, unless somebody has asked before.
    pub(super) fn drained(&self) {
        self.drained.store(!self.is_asked(), Ordering::SeqCst);
        self.ask();
    }

    fn is_drained(&self) -> bool {
        self.drained.load(Ordering::SeqCst)
    }

    /// Whether handlers were left behind, and hadn't ended when their worker had.
    pub(super) fn left_handlers(&self) -> bool {
        self.left_handlers.load(Ordering::SeqCst)
    }

    fn is_asked(&self) -> bool {
        self.asked.is_cancelled()
    }
}

/// A session with its services: what a worker has until it is declared gone.
pub(super) struct Life {
    engine: Arc<Engine>,
    claiming: Vec<JoinHandle<()>>,
    completing: Vec<JoinHandle<()>>,
    telling: JoinHandle<()>,
    /// Where the runtime is dropped nobody ends the heartbeat, which has a thread of its own: a lease that beats for ever would
    /// keep its jobs.
    beating: DropGuard,
}

impl Life {
    pub(super) async fn begin<R: Resources>(plan: &Plan<R>, stop: &Stopper) -> Result<Self> {
        let engine = plan.open(Halt::of_session(&stop.asked)).await?;
        tracing::info!(worker = name(), lease = engine.session.lease().0, "this worker has begun");
        let Halt { close, drain, still, .. } = engine.halt.clone();
        spawn_thread("pgq-heartbeat", {
            let (engine, still) = (Arc::clone(&engine), still.clone());
            let must_hear = plan.endings.deaf;
            move || async move {
                let heartbeat = Heartbeat::new(Arc::clone(&engine), must_hear);
                let (keeper, watcher) = (Keeper(Arc::clone(&engine)), Watcher(Arc::clone(&engine)));
                tokio::join!(
                    drive(heartbeat, Arc::clone(&engine), still.clone()),
                    drive(keeper, Arc::clone(&engine), still.clone()),
                    drive(watcher, engine, still),
                );
            }
        })
        .map_err(|error| Error::new(Kind::Interrupted, "the heartbeat's thread could not be started").because(error))?;
        let mut claiming = vec![
            start(Promoter(Arc::clone(&engine)), &engine, &drain),
            start(Rescuer(Arc::clone(&engine)), &engine, &drain),
            start(Sweeper(Arc::clone(&engine)), &engine, &drain),
            start(Pruner::new(Arc::clone(&engine)), &engine, &drain),
            // Also where it claims nothing, as others wait for it to say that it runs nothing.
            start(Negotiator::new(Arc::clone(&engine)), &engine, &drain),
        ];
        if plan.duties != Duties::Schedules {
            claiming.push(start(Claimer::new(Arc::clone(&engine)), &engine, &drain));
        }
        if plan.duties != Duties::Tasks || engine.declared.has_schedules() {
            claiming.push(start(Ticker::new(Arc::clone(&engine)), &engine, &drain));
        }
        if plan.endings.drain {
            claiming.push(start(Drainer::new(Arc::clone(&engine), stop.clone()), &engine, &drain));
        }
        let completing = vec![
            start(Completer::new(Arc::clone(&engine)), &engine, &close),
            start(Teller(Arc::clone(&engine)), &engine, &close),
        ];
        let telling = start(Herald(Arc::clone(&engine)), &engine, &close);
        Ok(Self { engine, claiming, completing, telling, beating: still.drop_guard() })
    }

    /// Under which it works.
    pub(super) fn lease(&self) -> Lease {
        self.engine.session.lease()
    }

    /// Waits until it is over, and brings that about in order.
    async fn end(self, drain: Duration, stop: &Stopper) -> Result<()> {
        let Self { engine, mut claiming, mut completing, telling, beating } = self;
        let halt = engine.halt.clone();
        tokio::select! {
            () = halt.drain.cancelled() => {}
            () = halt.lost.cancelled() => {}
        }
        halt.drain.cancel();
        let asked = engine.platform.clock.mark();
        if stop.is_drained() {
            tracing::info!(worker = name(), "nothing is left to do: this worker ends");
        } else if stop.is_asked() {
            let attempts = engine.slots.taken();
            tracing::info!(worker = name(), attempts, within = ?drain, "asked to stop: what runs may end by itself");
        }
        // Each ends after the turn that it is in. A statement that gets no answer must not hold up the end: after the drain
        // period, or a moment after somebody insisted, its service is dropped, and what it may have claimed is handed back
        // with the rest.
        tokio::select! {
            () = all(&mut claiming) => {}
            () = engine.platform.clock.sleep(drain.max(GRACE)) => {}
            () = insisted_for_a_moment(stop) => {}
            () = lost_for_a_moment(&halt) => {}
        }
        for service in &claiming {
            service.abort();
        }
        // Who drains isn't worth waking, and starts nothing more. If it can't be said, the flag runs out, and rates begin anew.
        let said = within(GRACE, async { tokio::join!(engine.session.doze(None), part(&engine)) }).await;
        if said.is_none() {
            // Somebody may have a limit locked: the connection that waits for him isn't there for ends that are to be written.
            engine.session.reconnect();
        }
        tokio::select! {
            () = wind_down(&engine, drain.saturating_sub(asked.elapsed()), stop) => {}
            // It ends with that: what it hasn't given back is others' once this worker has left.
            () = give(&engine) => {}
        }
        stop.left_handlers.fetch_or(halt.abort.is_cancelled(), Ordering::SeqCst);
        let away = engine.outage.is_on();
        halt.close.cancel();
        let _ = within(LAST_TURN, all(&mut completing)).await;
        for service in &completing {
            service.abort();
        }
        // What they were about to write goes back to where it is written from now.
        let _ = within(GRACE, all(&mut completing)).await;
        let ended = last_writes(&engine, away).await;
        drop(beating);
        let _ = within(LAST_WORDS, async {
            let _ = telling.await;
            engine.discards.flush().await;
        })
        .await;
        if ended.is_ok() && stop.is_asked() {
            let handed_back = engine.handed.tell();
            tracing::info!(worker = name(), lease = engine.session.lease().0, handed_back, "this worker has ended");
        }
        if halt.deaf.is_cancelled() && !stop.is_asked() {
            let deaf = Error::new(Kind::Deaf, "new jobs couldn't be heard of: the connection that listens failed");
            return Err(match ended {
                Ok(()) => deaf,
                Err(error) => deaf.because(error),
            });
        }
        ended
    }
}

/// Waits until all of them have ended.
async fn all(services: &mut [JoinHandle<()>]) {
    for service in services {
        // Perhaps it was waited for before, and its end is told once.
        if !service.is_finished() {
            let _ = service.await;
        }
    }
}

fn start<S: Service + 'static>(service: S, engine: &Arc<Engine>, stop: &CancellationToken) -> JoinHandle<()> {
    spawn(drive(service, Arc::clone(engine), stop.clone()))
}

/// Leads a worker from one session to the next until it is asked to stop.
pub(super) struct Supervisor<R> {
    pub(super) plan: Plan<R>,
    pub(super) life: Life,
    pub(super) drain: Duration,
    pub(super) stop: Stopper,
}

impl<R: Resources> Supervisor<R> {
    pub(super) async fn supervise(self) -> Result<()> {
        let Self { plan, mut life, drain, stop } = self;
        let mut restarts = 0;
        let ended = loop {
            let began = plan.client.platform().clock.mark();
            let ended = life.end(drain, &stop).await;
            let next = match ended {
                _ if stop.is_asked() => break ended,
                Err(error) if error.kind() == Kind::Deaf && !plan.endings.restart => break Err(error),
                Err(error) if error.kind() == Kind::Deaf => {
                    restarts = if began.elapsed() > plan.lease { 1 } else { restarts + 1 };
                    restart(&plan, &stop, &error, restarts).await
                }
                // What it held is others' by now, and what it knew was refused or written.
                _ => again(&plan, &stop).await.map(Ok),
            };
            match next {
                Some(Ok(next)) => life = next,
                Some(Err(error)) => break Err(error),
                None => break Ok(()),
            }
        };
        // One that was left behind in an earlier session may have ended since.
        stop.left_handlers.fetch_and(plan.has_handlers(), Ordering::SeqCst);
        plan.resources.close().await;
        ended
    }
}

/// A worker that ended by an error begins anew, after a pause that grows with each time in a row; `None` where it is asked to
/// stop meanwhile.
async fn restart<R: Resources>(plan: &Plan<R>, stop: &Stopper, error: &Error, times: u32) -> Option<Result<Life>> {
    let life = async {
        plan.patience.rest(error, times).await;
        plan.patience.with(|| Life::begin(plan, stop)).await
    };
    tokio::select! {
        life = life => Some(life),
        () = stop.asked.cancelled() => None,
    }
}

/// After it was declared gone, a worker registers anew, with another lease; `None` where it is asked to stop meanwhile.
async fn again<R: Resources>(plan: &Plan<R>, stop: &Stopper) -> Option<Life> {
    let mut voice = Voice::of(&plan.outage, "registration");
    for failures in 1.. {
        match Life::begin(plan, stop).await {
            Ok(life) => {
                voice.reached();
                tracing::warn!("this worker has registered anew");
                return Some(life);
            }
            Err(error) if is_told(&error) => voice.lost(&error),
            Err(error) => tracing::warn!(error = error.in_line(), "this worker can't register anew yet"),
        }
        tokio::select! {
            () = plan.client.platform().clock.sleep(backoff(failures, plan.client.platform().random())) => {}
            () = stop.asked.cancelled() => return None,
        }
    }
    None
}

/// A moment after somebody insisted: by the machine's time, as it bounds how long a connection may give no answer.
async fn insisted_for_a_moment(stop: &Stopper) {
    stop.hand_back.cancelled().await;
    pause(GRACE).await;
}

/// What runs is others' by now, and is told so at once, whatever else is waited for.
async fn lost_for_a_moment(halt: &Halt) {
    halt.lost.cancelled().await;
    halt.hurry.cancel();
    pause(GRACE).await;
}

/// From here nothing is started; what runs ends by itself, is asked to, or is dropped.
async fn wind_down(engine: &Engine, drain: Duration, stop: &Stopper) {
    let clock = &engine.platform.clock;
    if !engine.halt.lost.is_cancelled() {
        tokio::select! {
            () = engine.slots.idle() => return,
            () = clock.sleep(drain) => {}
            () = stop.hand_back.cancelled() => {
                tracing::info!(worker = name(), attempts = engine.slots.taken(), "asked to stop at once: what runs is handed back");
            }
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

/// Writes what is known, and leaves. What can't be written is handed back. That nobody could be told is no failure where nothing is
/// known to be left.
async fn last_writes(engine: &Arc<Engine>, away: bool) -> Result<()> {
    let mut completer = Completer::new(Arc::clone(engine));
    engine.outbox.take_back(Duration::ZERO);
    let writes = async {
        while engine.outbox.len() > 0 {
            if !matches!(completer.flush().await, Ok(0)) {
                pause(Duration::from_millis(50)).await;
            }
        }
    };
    let all = within(LAST_WRITES, writes).await.is_some() && !engine.outbox.has_refused();
    let unwritten = engine.held.claims();
    for &claim in &unwritten {
        engine.handed.note(claim.0, engine.held.of(claim).map_or("", |(task, _)| task));
    }
    let left = !unwritten.is_empty();
    // Also what was won and never started, as the claimer was dropped first, has its slot.
    let idle = !left && engine.slots.taken() == 0 && engine.doubts.count() == 0;
    let has_left = within(LEAVE, leave(engine, idle)).await.is_some();
    if !has_left {
        tracing::warn!("this worker couldn't say that it leaves: the others will notice when its lease is over");
    }
    if all && (has_left || !left && (idle || away)) {
        return Ok(());
    }
    Err(not_written(&unwritten))
}

fn not_written(claims: &[(JobId, u32)]) -> Error {
    let message = "the last ends could not be written: their jobs will run again";
    let ids: Vec<String> = claims.iter().take(NAMED).map(|(id, _)| id.to_string()).collect();
    let more = if claims.len() > NAMED { ", …" } else { "" };
    let which = if ids.is_empty() { String::new() } else { format!(" ({}: {}{more})", claims.len(), ids.join(", ")) };
    Error::new(Kind::Interrupted, format!("{message}{which}"))
}

/// Hands back what is left, and is known no longer.
async fn leave(engine: &Engine, idle: bool) {
    // A connection that broke shows itself in the statement, and the next one is new.
    while let Err(error) = engine.session.deregister(idle).await {
        tracing::debug!(error = error.in_line(), "this worker can't leave yet");
        pause(Duration::from_millis(50)).await;
    }
}
