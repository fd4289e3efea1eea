//! The claimer: the one place in the process that wins jobs, for all its tasks at once.
//!
//! It sleeps like the driver of a network card. Whoever enqueues notifies only workers that say that they sleep, because
//! a NOTIFY takes a lock of the whole cluster through its commit.
//!
//! ```text
//!        jobs                     nothing                      nothing
//! ┌────▶ claim ──▶ run   awake ───────────▶ say "I sleep" ──▶ claim all ────────▶ wait for a notice,
//! └────────┘                                 (committed)       │ jobs               a beat that sees one
//!                          ▲                                   ▼                        │
//!                          └──────────── after 100 ms of work: say "I'm awake" ◀────────┘
//! ```
//!
//! A job that is committed before the claim of the third step is found by it; whoever commits later reads the flag and
//! notifies. The notice can't be missed: LISTEN came first, and the signal's count is noted before the claim. A producer
//! reads the flag with the very statement that inserts, and only where that took long once more after its commit; what was
//! in flight when a worker fell asleep is found by another look, [`SETTLED`] later. Notices
//! that slip through all the same (a stale read in somebody's long transaction, a lost connection) cost about a second, the
//! time between two beats: these look for what the claimer would claim, and call it (`lookout.rs`). While they don't it looks
//! by itself each second.
//!
//! A sleeper's claim that has won all that there was is as good as one that finds nothing: whoever has committed before it was seen by
//! it, and whoever commits later reads the flag and notifies. So a job that comes alone takes one claim. Where several come in a row
//! the next claim follows at once, as that tells when to say "I'm awake".
//!
//! Who makes a single job available that was due, and rests and runs nothing himself, notifies nobody and is the one who claims it;
//! else he claims only where fewer sleep than there is work for. If he dies between the two, or something else fills him, the next
//! beat of another one sees the job.
//!
//! While there is a backlog the server and this process work side by side: the next claim is sent before what the last one won is
//! started, which has its slots by then and starts at once where no claim follows, or its answer would hang on what has started.
//!
//! A claim whose answer was lost may have won jobs that nobody runs, under a lease that lives. So may a server that crashed
//! and forgot ends which it had acknowledged; one that forgot claims may give their jobs to others. Each beat asks whether it
//! may have, and a claim wins nothing where it may. After either, before the next claim, what the lease holds and this process
//! doesn't know of is handed back, and attempts whose claims aren't there any more are told so. Handed back is also what a claim
//! won whose answer came when the lease was in doubt (`tenure.rs`).
//!
//! When the worker dies asleep, its flag runs out after [`DOZE`]; when the producer dies between its commit and the
//! notice, the next look finds the job; when the flag can't be written, the turn fails and is taken again.

use std::sync::Arc;
use std::time::Duration;

use pgq_core::Claimed;

use super::engine::Engine;
use super::executor;
use super::limits::crowd::{Asking, KEPT};
use super::service::{Next, Service, Signal};
use crate::Result;
use crate::backend::{Batch, Claim, Want};
use crate::platform::{Mark, within};

/// The longest time between two looks of an idle worker while no beat looks for it.
const POLL: Duration = Duration::from_secs(1);
/// For how long the flag holds that says that a worker sleeps; it is renewed half-way.
const DOZE: Duration = Duration::from_mins(2);
/// When to look once more after falling asleep, for what was in flight then: producers that take half of that look at the flag again.
const SETTLED: Duration = Duration::from_millis(100);
/// After so much work without a pause a worker says that it is awake: sooner, every job in a trickle would cost a write.
const BUSY: Duration = Duration::from_millis(100);
/// How long to let freed slots add up while there is a backlog, so that a claim wins more than one job.
const LINGER: Duration = Duration::from_millis(2);
/// The most jobs of one claim: beyond it the statement grows and the rate doesn't.
const MOST: usize = 500;

pub(super) struct Claimer {
    engine: Arc<Engine>,
    /// Since when the flag says that we sleep.
    dozing: Option<Mark>,
    /// When the worker fell asleep, until a look has seen what was in flight then.
    settling: Option<Mark>,
    /// Since when there was work without a pause.
    busy: Option<Mark>,
    /// When a claim won last after which none followed.
    lone: Option<Mark>,
    /// What the last claim asked for.
    asked: Arc<[Want]>,
    /// The last claim won all that it asked for.
    backlog: bool,
    /// Freed slots were given time to add up.
    lingered: bool,
    asking: Asking,
    /// What was won and has slots, and starts while the next claim is on its way.
    won: Vec<Claimed>,
}

impl Claimer {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self {
            engine,
            dozing: None,
            settling: None,
            busy: None,
            lone: None,
            asked: Arc::default(),
            backlog: false,
            lingered: false,
            asking: Asking::default(),
            won: Vec::new(),
        }
    }

    /// Claims once what may be started now; `None` where the lease is in doubt, and what was won meanwhile isn't to be started.
    pub(super) async fn claim(&mut self) -> Result<Option<Batch>> {
        if self.engine.tenure.is_doubtful() {
            return Ok(None);
        }
        let limit = self.engine.slots.free().min(MOST);
        let mut offer = self.engine.limits.offer(self.engine.wants_now());
        offer.groups.extend(self.engine.blocking_group(&offer.wants, limit));
        if offer.wants.is_empty() {
            return Ok(Some(Batch::default()));
        }
        let claim = Claim {
            wants: Arc::clone(&offer.wants),
            groups: offer.groups.clone(),
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            thorough: self.dozing.is_some(),
            suspect: !self.engine.held.has_suspect(),
        };
        self.asked = Arc::clone(&offer.wants);
        self.settle_doubts().await?;
        // Until the answer is there, also where nobody waits for it any more.
        self.engine.doubts.raise();
        let engine = Arc::clone(&self.engine);
        let claimed = engine.session.claim(claim);
        // It is sent first: while the server is at work on it there is time to start what the last one won.
        let (batch, ()) = tokio::join!(biased; claimed, async { self.start() });
        let batch = batch?;
        if batch.forgetful {
            self.settle_doubts().await?;
            return Ok(Some(Batch { again: true, ..Batch::default() }));
        }
        if self.engine.tenure.is_doubtful() {
            // The answer came late, or the machine was suspended: before the next claim it is handed back.
            return Ok(None);
        }
        if batch.jobs.is_empty() && !batch.again {
            offer.found_nothing();
        }
        let full = batch.jobs.len() >= self.engine.slots.free();
        let sated = limit > 0 && batch.jobs.len() == limit;
        if !offer.won(batch.jobs.iter().map(|job| &*job.task), &batch.blocked, full, sated) {
            // Handed back before the next claim too.
            return Ok(Some(Batch { again: true, ..Batch::default() }));
        }
        if let Some(opens) = batch.opens {
            self.engine.doorkeeper.begin(self.engine.platform.clock.mark(), opens);
            if self.engine.lookout.is_sooner(opens) {
                self.engine.due.raise();
            }
        }
        self.engine.doubts.settle(1);
        self.backlog = batch.jobs.len() == limit;
        self.lingered = false;
        Ok(Some(batch))
    }

    /// How long until there is more to claim, where only a rate is against it.
    pub(super) fn next(&self) -> Option<Duration> {
        self.engine.limits.offer(self.engine.wants_now()).due
    }

    async fn settle_doubts(&mut self) -> Result<()> {
        let doubts = self.engine.doubts.count();
        if doubts > 0 {
            // Before it is said what this process knows of.
            self.start();
            let reconciled = self.engine.session.release_all_but(self.engine.held.claims()).await?;
            // Those that have ended meanwhile feel nothing of it.
            self.engine.held.lose(&reconciled.forgotten);
            self.engine.doubts.settle(doubts);
        }
        Ok(())
    }

    /// Whether what was won is better started a moment later, beside the next claim: where that comes at once, and its answer
    /// doesn't hang on what has started.
    fn may_wait(&self) -> bool {
        self.backlog && !self.engine.has_blocking && !self.won.iter().any(Claimed::is_suspect)
    }

    /// Starts what was won and hasn't yet.
    fn start(&mut self) {
        executor::start(&self.engine, std::mem::take(&mut self.won));
    }

    /// How to wait for room, or `None` where there is enough.
    fn wait_for_room(&mut self) -> Option<Next> {
        let slots = &self.engine.slots;
        let (free, enough) = (slots.free(), (slots.total() / 4).clamp(1, MOST / 2));
        if free == 0 {
            slots.alarm_at(1);
            return Some(Next::OnSignal);
        }
        if self.engine.outbox.holds_up() {
            return Some(Next::OnSignal);
        }
        if self.backlog && free < enough && !self.lingered {
            self.lingered = true;
            slots.alarm_at(enough);
            return Some(Next::After(LINGER));
        }
        None
    }

    /// What had to be done without while all slots were taken may be at hand now: a free one is kept for that.
    async fn ask_first(&mut self) {
        let missed = self.engine.limits.missed(&self.asking);
        if missed.is_empty() {
            return;
        }
        self.start();
        let granted = within(KEPT, self.engine.limits.catch_up(&missed)).await;
        let now = self.engine.platform.clock.mark();
        match granted {
            Some(granted) => self.asking.was(&granted, true, &now),
            None => self.asking.was(&missed, false, &now),
        }
    }

    /// Whether a claim that has won all that there was comes alone, while the flag says that we sleep, and notices are heard: whatever
    /// is there by now is told of. What limits have learnt of a claim that finds nothing they learn of this one.
    fn is_lone(&mut self) -> bool {
        self.lone.take_if(|last| last.elapsed() >= BUSY);
        let asleep = self.dozing.as_ref().is_some_and(|mark| mark.elapsed() < DOZE / 2);
        if !asleep || !self.engine.hears() || self.busy.is_some() || self.lone.is_some() {
            return false;
        }
        let mut next = self.engine.limits.offer(self.engine.wants_now());
        if !is_among(&next.wants, &self.asked) {
            return false;
        }
        next.found_nothing();
        self.lone = Some(self.engine.platform.clock.mark());
        next.won(std::iter::empty(), &[], false, false)
    }

    async fn after_work(&mut self) -> Result<Next> {
        let mark = self.busy.get_or_insert_with(|| self.engine.platform.clock.mark());
        if mark.elapsed() >= BUSY {
            self.wake_up().await?;
        }
        Ok(Next::Again)
    }

    async fn wake_up(&mut self) -> Result<()> {
        if self.dozing.is_some() {
            // It may take long to be heard.
            self.start();
            self.engine.session.doze(None).await?;
            self.dozing = None;
        }
        Ok(())
    }

    async fn after_nothing(&mut self) -> Result<Next> {
        self.busy = None;
        let asleep = self.dozing.as_ref().map(Mark::elapsed);
        if asleep.is_some_and(|asleep| asleep < DOZE / 2) || !self.engine.hears() {
            return Ok(self.rest());
        }
        self.engine.session.doze(Some(DOZE)).await?;
        self.dozing = Some(self.engine.platform.clock.mark());
        if asleep.is_some_and(|asleep| asleep < DOZE) {
            return Ok(self.rest());
        }
        self.settling = Some(self.engine.platform.clock.mark());
        // What was committed before the flag notified nobody, so look once more.
        Ok(Next::Again)
    }

    /// Leaves it to the beats to look for what would be claimed now.
    fn rest(&self) -> Next {
        let offer = self.engine.limits.offer(self.engine.wants_now());
        self.engine.lookout.claims(Arc::clone(&offer.wants), !self.engine.held.has_suspect());
        let look = match &self.settling {
            Some(fell) => SETTLED.saturating_sub(fell.elapsed()),
            None => self.engine.rest(POLL).min(DOZE / 2),
        };
        Next::After(offer.due.map_or(look, |due| due.min(look)))
    }
}

impl Service for Claimer {
    const NAME: &'static str = "claimer";

    fn signal(&self) -> Signal {
        self.engine.stir.clone()
    }

    async fn turn(&mut self) -> Result<Next> {
        if !self.engine.tenure.is_doubtful() {
            // Also where there is no room: whose claim was forgotten has to hear of it.
            self.settle_doubts().await?;
        }
        if let Some(wait) = self.wait_for_room() {
            if self.engine.slots.free() == 0 {
                self.engine.limits.crowd_out();
            }
            if wait == Next::OnSignal {
                // A full worker would sleep through what it is woken for.
                self.wake_up().await?;
            }
            return Ok(wait);
        }
        self.ask_first().await;
        self.engine.lookout.claims(Arc::default(), false);
        self.settling.take_if(|fell| fell.elapsed() >= SETTLED);
        let Some(batch) = self.claim().await? else { return Ok(Next::After(POLL)) };
        self.start();
        let nothing = batch.jobs.is_empty() && !batch.again;
        let all = batch.all && !nothing;
        self.engine.slots.take(batch.jobs.len());
        self.won = batch.jobs;
        if !self.won.is_empty() && !self.may_wait() {
            self.start();
            // What has started is on its way before the next claim is written.
            tokio::task::yield_now().await;
        }
        if all && self.is_lone() {
            return Ok(self.rest());
        }
        if nothing { self.after_nothing().await } else { self.after_work().await }
    }

    fn pause(&mut self) {
        self.start();
    }
}

/// Whether all of these were asked for; both are in the order in which the worker has them.
fn is_among(wants: &Arc<[Want]>, asked: &Arc<[Want]>) -> bool {
    let mut asked_for = asked.iter();
    Arc::ptr_eq(wants, asked)
        || wants.iter().all(|want| asked_for.any(|asked| asked.queue == want.queue && asked.task == want.task))
}
