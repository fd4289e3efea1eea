//! What a worker does when its backend gives no answer, the wrong one, or a late one.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgq::backend::{
    Advance, Agenda, Answer, Ask, Backend, Batch, Bounds, Cancellation, Change, Claim, Declaration, Declared, Deletion,
    Discarded, Edited, Ended, Enqueued, Firing, Found, Holders, JobInfo, Lease, LimitInfo, LimitName, LookFor,
    Maintain, Migrated, NewJob, NextToken, Notice, Operate, Outlook, Pausable, Pause, PoolName, PoolView, Portion,
    Produce, Promoted, Pruned, Pulse, Reconciled, Registration, Renewal, Rescued, Retrial, Scheduled, Search, Session,
    Ticked, Transaction, Verdict, Want, Watched, Whereabouts, Work,
};
use pgq::testing::{ManualClock, stepper};
use pgq::{Client, Context, Env, Error, JobId, Resources, Result, State, Timestamp, Worker};
use tokio::sync::{Notify, mpsc, watch};

use super::said::Said;
use crate::log::Log;

/// What goes wrong, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing of it is done.
    Refused,
    /// It is done, and nobody hears.
    Unanswered,
    /// Somebody has every row locked.
    Busy,
    /// The worker counts as gone.
    Gone,
    /// There is never an answer.
    Silence,
    /// The server says so: nothing of it is done.
    Says(&'static str),
    /// It falls over.
    Panic,
    /// It is done, and more than a lease goes by before anybody hears.
    Late,
    /// The answer of the time before comes once more.
    Twice,
    /// It is done, and nobody hears until the test says so; of a claim, where it has won something.
    Held,
    /// It is done only when the test says so.
    Delayed,
}

/// The faults to come, by verb.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// What a late answer moves on.
    clock: Option<ManualClock>,
    /// By the database's code of an error.
    pub(super) register: Mutex<VecDeque<&'static str>>,
    /// The next session has these.
    pub(crate) of_next: Mutex<Option<Arc<Faults>>>,
    /// Told of each session that couldn't be opened.
    pub(super) refused: Notify,
    pub(crate) claim: Coming,
    /// What the last claim won.
    won: Mutex<Batch>,
    pub(super) doze: Coming,
    /// Whether the last worker that said so sleeps.
    pub(super) asleep: watch::Sender<bool>,
    pub(super) finish: Coming,
    /// Of which jobs the ends are refused, whatever they are.
    pub(super) accursed: Mutex<HashSet<JobId>>,
    pub(super) foretell: Coming,
    conclude: Coming,
    pub(super) renew: Coming,
    fire: Coming,
    reconnects: AtomicUsize,
    pub(super) sessions: AtomicUsize,
    pub(super) attend: Coming,
    /// How often a connection to beat on was asked for.
    pub(super) attended: AtomicUsize,
    /// How often one was asked to claim.
    pub(super) claimed: AtomicUsize,
    /// How often one was asked to promote.
    pub(super) promoted: AtomicUsize,
    /// How often sessions were asked for something.
    pub(super) asked: AtomicUsize,
    /// Notices are lost.
    pub(super) deaf: AtomicBool,
    /// How many signs of life were accepted.
    pub(super) renewed: watch::Sender<usize>,
    /// Told when an answer is held, and by the test when it may be heard.
    pub(crate) held: Notify,
    pub(crate) heard: Notify,
    /// Of looks at limits, and of what is said of them.
    pub(super) look: Coming,
    pub(crate) share: Coming,
    /// As `held` and `heard`, of what is said of limits.
    pub(crate) share_held: Notify,
    pub(crate) share_heard: Notify,
    /// How often workers have said what they have of limits.
    pub(super) shared: watch::Sender<usize>,
    /// How often they have looked at them.
    pub(crate) looked: watch::Sender<usize>,
    /// What the last look has shown.
    pub(super) seen: watch::Sender<Vec<PoolView>>,
    /// How often they have put in what their code says.
    pub(super) declared: AtomicUsize,
}

/// The faults of a verb that are to come, in turn.
#[derive(Debug, Default)]
pub(crate) struct Coming(watch::Sender<VecDeque<Fault>>);

impl Faults {
    /// Waits until an answer is held. The limit only bounds how long a failing test takes.
    pub(super) async fn is_held(&self) {
        tokio::time::timeout(Duration::from_secs(20), self.held.notified()).await.expect("an answer is held");
    }
}

impl Coming {
    fn next(&self) -> Option<Fault> {
        let mut next = None;
        self.0.send_if_modified(|coming| {
            next = coming.pop_front();
            next.is_some()
        });
        next
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// None of them happens.
    pub(crate) fn clear(&self) {
        self.0.send_modify(VecDeque::clear);
    }

    /// Waits until the last of them happens. The limit only bounds how long a failing test takes.
    pub(super) async fn taken(&self) {
        let mut coming = self.0.subscribe();
        let taken = tokio::time::timeout(Duration::from_secs(20), coming.wait_for(VecDeque::is_empty));
        taken.await.expect("it happens").expect("the sender is here");
    }
}

pub(crate) fn plan(faults: &Coming, coming: &[Fault]) {
    faults.0.send_modify(|planned| planned.extend(coming));
}

fn away() -> Error {
    pgq::sqlx::Error::PoolTimedOut.into()
}

/// A backend in memory whose sessions fail when they are told to.
struct Wayward {
    inner: Arc<dyn Backend>,
    faults: Arc<Faults>,
}

/// A client on one, and what is to go wrong.
pub(super) fn wayward() -> Result<(Client, Arc<Faults>)> {
    let faults = Arc::new(Faults::default());
    let inner = Arc::clone(Client::memory().backend());
    let client = Client::builder()?.backend(Arc::new(Wayward { inner, faults: Arc::clone(&faults) }));
    Ok((client, faults))
}

/// The same under a clock that only the test moves.
pub(super) fn wayward_by(clock: &ManualClock) -> Result<(Client, Arc<Faults>)> {
    let faults = Arc::new(Faults { clock: Some(clock.clone()), ..Faults::default() });
    let inner = Client::builder()?.clock(clock.clone()).memory();
    Ok((wayward_over(&inner, clock, &faults)?, faults))
}

/// A client on another's backend, to which this happens.
pub(crate) fn wayward_over(inner: &Client, clock: &ManualClock, faults: &Arc<Faults>) -> Result<Client> {
    let backend = Wayward { inner: Arc::clone(inner.backend()), faults: Arc::clone(faults) };
    Ok(Client::builder()?.clock(clock.clone()).backend(Arc::new(backend)))
}

impl Backend for Wayward {
    fn register(&self, worker: Registration) -> Answer<'_, Arc<dyn Session>> {
        Box::pin(async move {
            let refusal = self.faults.register.lock().unwrap().pop_front();
            if let Some(code) = refusal {
                self.faults.refused.notify_one();
                return Err(Said(code).into());
            }
            let inner = self.inner.register(worker).await?;
            self.faults.sessions.fetch_add(1, Ordering::SeqCst);
            let faults = self.faults.of_next.lock().unwrap().take().unwrap_or_else(|| Arc::clone(&self.faults));
            Ok(Arc::new(Unsteady { inner, faults }) as Arc<dyn Session>)
        })
    }
}

impl Produce for Wayward {
    fn enqueue(&self, jobs: Vec<NewJob>) -> Answer<'_, Vec<Enqueued>> {
        self.inner.enqueue(jobs)
    }

    fn begin(&self) -> Answer<'_, Box<dyn Transaction>> {
        Box::pin(async move {
            let inner = self.inner.begin().await?;
            Ok(Box::new(Shaky { inner, faults: Arc::clone(&self.faults) }) as Box<dyn Transaction>)
        })
    }

    fn begin_attempt(&self) -> Answer<'_, Box<dyn Transaction>> {
        self.begin()
    }
}

struct Shaky {
    inner: Box<dyn Transaction>,
    faults: Arc<Faults>,
}

impl Transaction for Shaky {
    fn enqueue(&self, jobs: Vec<NewJob>) -> Answer<'_, Vec<Enqueued>> {
        self.inner.enqueue(jobs)
    }

    fn connection(&self) -> Answer<'_, pgq::TxConnection<'_>> {
        self.inner.connection()
    }

    fn commit(self: Box<Self>) -> Answer<'static, ()> {
        self.inner.commit()
    }

    fn conclude(self: Box<Self>, lease: Lease, ended: Ended) -> Answer<'static, Verdict> {
        Box::pin(async move {
            match self.faults.conclude.next() {
                Some(Fault::Unanswered) => self.inner.conclude(lease, ended).await.and(Err(away())),
                Some(Fault::Silence) => std::future::pending().await,
                Some(_) => self.inner.rollback().await.and(Err(away())),
                None => self.inner.conclude(lease, ended).await,
            }
        })
    }

    fn rollback(self: Box<Self>) -> Answer<'static, ()> {
        self.inner.rollback()
    }
}

impl Operate for Wayward {
    fn migrate(&self) -> Answer<'_, Migrated> {
        self.inner.migrate()
    }

    fn check(&self) -> Answer<'_, ()> {
        self.inner.check()
    }

    fn describe(&self) -> Answer<'_, String> {
        self.inner.describe()
    }

    fn cancel(&self, ids: Vec<JobId>, why: String) -> Answer<'_, Vec<Cancellation>> {
        self.inner.cancel(ids, why)
    }

    fn retry(&self, ids: Vec<JobId>) -> Answer<'_, Vec<Retrial>> {
        self.inner.retry(ids)
    }

    fn get(&self, ids: Vec<JobId>) -> Answer<'_, Vec<JobInfo>> {
        self.inner.get(ids)
    }

    fn find(&self, search: Search) -> Answer<'_, Found> {
        self.inner.find(search)
    }

    fn edit(&self, id: JobId, change: Change) -> Answer<'_, Edited> {
        self.inner.edit(id, change)
    }

    fn delete(&self, ids: Vec<JobId>) -> Answer<'_, Vec<Deletion>> {
        self.inner.delete(ids)
    }

    fn pause(&self, what: Pausable, reason: String, span: Option<Duration>) -> Answer<'_, ()> {
        self.inner.pause(what, reason, span)
    }

    fn resume(&self, what: Pausable) -> Answer<'_, bool> {
        self.inner.resume(what)
    }

    fn whereabouts(&self, id: JobId) -> Answer<'_, Option<Whereabouts>> {
        self.inner.whereabouts(id)
    }

    fn holders(&self, limit: String, tasks: Vec<String>) -> Answer<'_, Holders> {
        self.inner.holders(limit, tasks)
    }

    fn limits(&self) -> Answer<'_, Vec<LimitInfo>> {
        self.inner.limits()
    }

    fn set_limit(&self, name: LimitName, bounds: Option<Bounds>) -> Answer<'_, bool> {
        self.inner.set_limit(name, bounds)
    }

    fn declarations(&self, name: Option<String>) -> Answer<'_, Vec<Declaration>> {
        self.inner.declarations(name)
    }

    fn pauses(&self) -> Answer<'_, Vec<Pause>> {
        self.inner.pauses()
    }

    fn schedules(&self) -> Answer<'_, Agenda> {
        self.inner.schedules()
    }

    fn create_schedule(&self, scheduled: Scheduled) -> Answer<'_, bool> {
        self.inner.create_schedule(scheduled)
    }

    fn hold_schedule(&self, name: String, paused: Option<String>) -> Answer<'_, bool> {
        self.inner.hold_schedule(name, paused)
    }

    fn trigger_schedule(&self, name: String, ticked: Ticked) -> Answer<'_, Option<JobId>> {
        self.inner.trigger_schedule(name, ticked)
    }

    fn delete_schedule(&self, name: String) -> Answer<'_, bool> {
        self.inner.delete_schedule(name)
    }
}

struct Unsteady {
    inner: Arc<dyn Session>,
    faults: Arc<Faults>,
}

impl Unsteady {
    /// The session, for something that it is asked.
    fn ask(&self) -> &Arc<dyn Session> {
        self.faults.asked.fetch_add(1, Ordering::SeqCst);
        &self.inner
    }
}

impl Work for Unsteady {
    fn lease(&self) -> Lease {
        self.inner.lease()
    }

    fn claim(&self, claim: Claim) -> Answer<'_, Batch> {
        Box::pin(async move {
            self.faults.claimed.fetch_add(1, Ordering::SeqCst);
            match self.faults.claim.next() {
                Some(Fault::Refused) => Err(away()),
                Some(Fault::Silence) => std::future::pending().await,
                Some(Fault::Panic) => panic!("the claim fell over"),
                Some(Fault::Twice) => Ok(self.faults.won.lock().unwrap().clone()),
                Some(Fault::Late) => {
                    let batch = self.ask().claim(claim).await;
                    self.faults.clock.iter().for_each(|clock| clock.advance(Duration::from_secs(20)));
                    batch
                }
                Some(Fault::Held) => {
                    let batch = self.ask().claim(claim).await;
                    if batch.as_ref().is_ok_and(|batch| batch.jobs.is_empty()) {
                        self.faults.claim.0.send_modify(|coming| coming.push_front(Fault::Held));
                        return batch;
                    }
                    self.faults.held.notify_one();
                    self.faults.heard.notified().await;
                    batch
                }
                Some(Fault::Delayed) => {
                    self.faults.held.notify_one();
                    self.faults.heard.notified().await;
                    self.ask().claim(claim).await
                }
                Some(_) => self.ask().claim(claim).await.and(Err(away())),
                None => {
                    let batch = self.ask().claim(claim).await?;
                    self.faults.won.lock().unwrap().clone_from(&batch);
                    Ok(batch)
                }
            }
        })
    }

    fn pools(&self) -> Answer<'_, Vec<PoolView>> {
        Box::pin(async move {
            if self.faults.look.next().is_some() {
                return Err(away());
            }
            let views = self.ask().pools().await?;
            self.faults.looked.send_modify(|times| *times += 1);
            self.faults.seen.send_replace(views.clone());
            Ok(views)
        })
    }

    fn share(&self, asks: Vec<(PoolName, Ask)>) -> Answer<'_, Vec<(PoolName, Portion)>> {
        Box::pin(async move {
            let fault = self.faults.share.next();
            if fault == Some(Fault::Refused) {
                return Err(away());
            }
            if fault == Some(Fault::Delayed) {
                self.faults.share_held.notify_one();
                self.faults.share_heard.notified().await;
            }
            let portions = self.ask().share(asks).await?;
            self.faults.shared.send_modify(|times| *times += 1);
            match fault {
                Some(Fault::Unanswered) => return Err(away()),
                Some(Fault::Held) => {
                    self.faults.share_held.notify_one();
                    self.faults.share_heard.notified().await;
                }
                _ => {}
            }
            Ok(portions)
        })
    }

    fn foretell(&self, tokens: Vec<(PoolName, NextToken)>) -> Answer<'_, ()> {
        match self.faults.foretell.next() {
            Some(_) => Box::pin(async { Err(away()) }),
            None => self.ask().foretell(tokens),
        }
    }

    fn doze(&self, asleep: Option<Duration>) -> Answer<'_, ()> {
        match self.faults.doze.next() {
            Some(Fault::Silence) => Box::pin(std::future::pending()),
            Some(_) => Box::pin(async { Err(away()) }),
            None => Box::pin(async move {
                self.ask().doze(asleep).await?;
                self.faults.asleep.send_replace(asleep.is_some());
                Ok(())
            }),
        }
    }

    fn advance(&self, advances: Vec<Advance>) -> Answer<'_, Vec<Verdict>> {
        self.ask().advance(advances)
    }

    fn finish<'a>(&'a self, ended: &'a [Ended]) -> Answer<'a, Vec<Verdict>> {
        Box::pin(async move {
            if ended.iter().any(|ended| self.faults.accursed.lock().unwrap().contains(&ended.id)) {
                return Err(Said("23514").into());
            }
            match self.faults.finish.next() {
                Some(Fault::Refused) => Err(away()),
                Some(Fault::Says(code)) => Err(Said(code).into()),
                Some(Fault::Busy) => Ok(vec![Verdict::Busy; ended.len()]),
                Some(Fault::Silence) => std::future::pending().await,
                Some(Fault::Panic) => panic!("the finish fell over"),
                Some(_) => self.ask().finish(ended).await.and(Err(away())),
                None => self.ask().finish(ended).await,
            }
        })
    }

    fn release_all_but(&self, kept: Vec<(JobId, u32)>) -> Answer<'_, Reconciled> {
        self.ask().release_all_but(kept)
    }

    fn attend(&self) -> Answer<'_, Box<dyn Pulse>> {
        Box::pin(async move {
            self.faults.attended.fetch_add(1, Ordering::SeqCst);
            if self.faults.attend.next() == Some(Fault::Delayed) {
                self.faults.held.notify_one();
                self.faults.heard.notified().await;
            }
            let inner = self.inner.attend().await?;
            Ok(Box::new(Flutter { inner, faults: Arc::clone(&self.faults) }) as Box<dyn Pulse>)
        })
    }

    fn unfinished(&self, wants: Arc<[Want]>) -> Answer<'_, bool> {
        self.ask().unfinished(wants)
    }

    fn reconnect(&self) {
        self.faults.reconnects.fetch_add(1, Ordering::SeqCst);
        self.inner.reconnect();
    }

    fn deregister(&self, idle: bool) -> Answer<'_, ()> {
        self.ask().deregister(idle)
    }
}

impl Maintain for Unsteady {
    fn promote_beside(&self, step: u32, wants: Arc<[Want]>) -> Answer<'_, Promoted> {
        self.faults.promoted.fetch_add(1, Ordering::SeqCst);
        self.ask().promote_beside(step, wants)
    }

    fn rescue(&self, step: u32) -> Answer<'_, Rescued> {
        self.ask().rescue(step)
    }

    fn sweep(&self) -> Answer<'_, u32> {
        self.ask().sweep()
    }

    fn tidy(&self) -> Answer<'_, bool> {
        self.ask().tidy()
    }

    fn expire(&self, step: u32) -> Answer<'_, Vec<Discarded>> {
        self.ask().expire(step)
    }

    fn prune(&self, step: u32) -> Answer<'_, Pruned> {
        self.ask().prune(step)
    }

    fn declare(&self, declared: Declared) -> Answer<'_, i64> {
        self.faults.declared.fetch_add(1, Ordering::SeqCst);
        self.ask().declare(declared)
    }

    fn prune_schedules(&self, grace: Duration) -> Answer<'_, Vec<String>> {
        self.ask().prune_schedules(grace)
    }

    fn agenda(&self) -> Answer<'_, Agenda> {
        self.ask().agenda()
    }

    fn fire(&self, firings: Vec<Firing>) -> Answer<'_, Vec<bool>> {
        Box::pin(async move {
            match self.faults.fire.next() {
                Some(Fault::Unanswered) => self.ask().fire(firings).await.and(Err(away())),
                Some(Fault::Busy) => Ok(vec![false; firings.len()]),
                Some(_) => Err(away()),
                None => self.ask().fire(firings).await,
            }
        })
    }
}

struct Flutter {
    inner: Box<dyn Pulse>,
    faults: Arc<Faults>,
}

impl Pulse for Flutter {
    fn look(&mut self, look_for: LookFor) -> Answer<'_, (Renewal, Outlook)> {
        match self.faults.renew.next() {
            Some(Fault::Silence) => Box::pin(std::future::pending()),
            Some(Fault::Gone) => Box::pin(async { Ok((Renewal::Gone, Outlook::NOTHING)) }),
            Some(Fault::Busy) => Box::pin(async { Err(Said("57014").into()) }),
            Some(_) => Box::pin(async { Err(away()) }),
            None => Box::pin(async {
                let seen = self.inner.look(look_for).await?;
                self.faults.renewed.send_modify(|times| *times += 1);
                Ok(seen)
            }),
        }
    }

    fn watch(&mut self) -> Answer<'_, Watched> {
        self.inner.watch()
    }

    fn notice(&mut self) -> Answer<'_, Notice> {
        Box::pin(async {
            loop {
                let notice = self.inner.notice().await?;
                if !self.faults.deaf.load(Ordering::SeqCst) {
                    return Ok(notice);
                }
            }
        })
    }
}

#[pgq::task]
pub(super) async fn greet() -> Result<(), pgq::BoxError> {
    Ok(())
}

#[pgq::task(retry = fixed("1h"))]
async fn leave(tx: &pgq::Tx) -> Result<(), pgq::BoxError> {
    greet::enqueue(tx, ()).await?;
    Ok(())
}

/// Hears of each run.
#[derive(pgq::Provide)]
pub(super) struct Ear {
    pub(super) told: mpsc::UnboundedSender<()>,
}

impl Resources for Ear {
    async fn init(_: &Env) -> Result<Self> {
        Err(Error::init("these tests hand theirs over"))
    }
}

#[pgq::task]
pub(super) async fn tell(ctx: Context<Ear>) -> Result<(), pgq::BoxError> {
    Ok(ctx.told.send(())?)
}

#[pgq::task]
async fn wait(ctx: Context<Ear>) -> Result<(), pgq::BoxError> {
    ctx.told.send(())?;
    ctx.cancelled().await;
    Ok(())
}

pub(super) async fn standing(client: &Client, id: JobId) -> Result<(State, u16, u32)> {
    let job = client.get(id).await?.expect("the job is kept");
    Ok((job.state, job.attempt, job.epoch))
}

#[tokio::test]
async fn a_claim_that_failed_is_made_again() -> Result<()> {
    let (client, faults) = wayward()?;
    let mut worker = stepper::<()>(&client, pgq::tasks![greet], ()).await?;
    let id = greet::enqueue(&client, ()).await?.id();
    plan(&faults.claim, &[Fault::Refused]);
    assert!(worker.step().await.is_err());
    assert_eq!(worker.step().await?, 1);
    assert_eq!(standing(&client, id).await?, (State::Completed, 1, 1));
    Ok(())
}

#[tokio::test]
async fn what_a_claim_without_an_answer_won_is_handed_back_before_the_next() -> Result<()> {
    let (client, faults) = wayward()?;
    let mut worker = stepper::<()>(&client, pgq::tasks![greet], ()).await?;
    let id = greet::enqueue(&client, ()).await?.id();
    plan(&faults.claim, &[Fault::Unanswered]);
    assert!(worker.step().await.is_err());
    assert_eq!(standing(&client, id).await?, (State::Running, 1, 1), "nobody runs it, under a lease that lives");
    assert_eq!(worker.step().await?, 1);
    assert_eq!(standing(&client, id).await?, (State::Completed, 1, 2));
    Ok(())
}

#[tokio::test]
async fn an_end_that_could_not_be_written_is_kept_and_written_later() -> Result<()> {
    for fault in [Fault::Refused, Fault::Unanswered] {
        let (client, faults) = wayward()?;
        let mut worker = stepper::<()>(&client, pgq::tasks![greet], ()).await?;
        let id = greet::enqueue(&client, ()).await?.id();
        plan(&faults.finish, &[fault, fault]);
        assert!(worker.step().await.is_err());
        assert!(worker.step().await.is_err(), "the end is still there");
        worker.step().await?;
        assert_eq!(standing(&client, id).await?, (State::Completed, 1, 1), "{fault:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_attempts_commit_that_got_no_answer_stands_whole_or_not_at_all() -> Result<()> {
    for (fault, state, effects) in [(Fault::Refused, State::Retryable, 0), (Fault::Unanswered, State::Completed, 1)] {
        let (client, faults) = wayward()?;
        let mut worker = stepper::<()>(&client, pgq::tasks![leave], ()).await?;
        let id = leave::enqueue(&client, ()).await?.id();
        plan(&faults.conclude, &[fault]);
        assert_eq!(worker.step().await?, 1);
        assert_eq!(standing(&client, id).await?, (state, 1, 1), "{fault:?}");
        assert_eq!(client.jobs().task("greet").count().await?.jobs, effects, "{fault:?}");
    }
    Ok(())
}

#[tokio::test]
async fn of_an_attempts_commit_that_got_no_answer_is_told_what_is_known() -> Result<()> {
    let log = Log::default();
    let _listening = log.listen();
    let (client, faults) = wayward()?;
    let mut worker = stepper::<()>(&client, pgq::tasks![leave], ()).await?;
    let id = leave::enqueue(&client, ()).await?.id();
    plan(&faults.conclude, &[Fault::Unanswered]);
    plan(&faults.finish, &[Fault::Busy]);
    assert_eq!(worker.step().await?, 1);
    assert_eq!(standing(&client, id).await?, (State::Completed, 1, 1));
    assert_eq!(log.about("it isn't known whether the attempt's transaction stands").len(), 1);
    assert_eq!(log.about("INFO message=nothing is left to write: a write that got no answer stands").len(), 1);
    for wrong in ["attempt failed", "the lease was lost"] {
        assert_eq!(log.about(wrong), [""; 0], "neither is so");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempts_commit_that_gets_no_answer_while_its_worker_stops_is_handed_back() -> Result<()> {
    let (client, faults) = wayward()?;
    plan(&faults.conclude, &[Fault::Silence]);
    let id = leave::job(()).max_attempts(1).enqueue(&client).await?.id();
    let builder = Worker::<()>::builder().client(client.clone()).tasks(pgq::tasks![leave]);
    let worker = builder.drain_timeout(Duration::ZERO).spawn().await?;
    faults.conclude.taken().await;
    worker.stop().await?;
    let (state, attempt, _) = standing(&client, id).await?;
    assert_eq!((state, attempt), (State::Available, 0));
    Ok(())
}

#[tokio::test]
async fn a_tick_whose_commit_got_no_answer_makes_one_job() -> Result<()> {
    for (fault, told) in [(Fault::Refused, true), (Fault::Unanswered, true), (Fault::Busy, false)] {
        let clock = ManualClock::at(Timestamp::EPOCH);
        let (client, faults) = wayward_by(&clock)?;
        let mut worker = stepper::<()>(&client, pgq::tasks![greet], ()).await?;
        client.schedule("greeting", "* * * * *", greet::job(())).create().await?;
        clock.advance(Duration::from_mins(1));
        plan(&faults.fire, &[fault]);
        assert_eq!(worker.tick().await.is_err(), told, "{fault:?}");
        assert_eq!(worker.drain().await?, 1, "{fault:?}");
        assert_eq!(worker.drain().await?, 0, "{fault:?}");
    }
    Ok(())
}

#[pgq::task(attempts = 1)]
async fn stumble() -> Result<(), pgq::BoxError> {
    Err("no way")?
}

#[tokio::test]
async fn a_failure_that_could_not_be_written_for_long_says_when_it_was() -> Result<()> {
    let clock = ManualClock::at(Timestamp::EPOCH);
    let (client, faults) = wayward_by(&clock)?;
    let mut worker = stepper::<()>(&client, pgq::tasks![stumble], ()).await?;
    let id = stumble::enqueue(&client, ()).await?.id();
    plan(&faults.finish, &[Fault::Refused, Fault::Refused]);
    let over = clock.now();
    for _ in 0..2 {
        assert!(worker.step().await.is_err());
        clock.advance(Duration::from_secs(7));
    }
    worker.step().await?;
    let job = client.get(id).await?.expect("it is kept");
    assert_eq!((job.failures[0].ended, job.finished), (over, Some(clock.now())));
    Ok(())
}

#[tokio::test]
async fn an_end_that_somebody_has_locked_is_written_later() -> Result<()> {
    let (client, faults) = wayward()?;
    let mut worker = stepper::<()>(&client, pgq::tasks![greet], ()).await?;
    let id = greet::enqueue(&client, ()).await?.id();
    plan(&faults.finish, &[Fault::Busy, Fault::Busy]);
    worker.step().await?;
    assert_eq!(standing(&client, id).await?, (State::Completed, 1, 1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_lives_through_faults_and_runs_every_job_once() -> Result<()> {
    let (client, faults) = wayward()?;
    plan(&faults.claim, &[Fault::Refused, Fault::Refused]);
    plan(&faults.finish, &[Fault::Busy, Fault::Refused, Fault::Unanswered, Fault::Busy]);
    plan(&faults.renew, &[Fault::Refused, Fault::Refused]);
    tell::enqueue_many(&client, vec![(); 50]).await?;
    let (told, mut runs) = mpsc::unbounded_channel();
    let builder = Worker::builder().client(client.clone()).tasks(pgq::tasks![tell]).resources(Ear { told });
    let worker = builder.slots(5).spawn().await?;
    for _ in 0..50 {
        tokio::time::timeout(Duration::from_secs(20), runs.recv()).await.expect("every job runs");
    }
    worker.stop().await?;
    assert_eq!(client.jobs().state(State::Completed).count().await?.jobs, 50);
    assert!(runs.try_recv().is_err(), "none runs twice");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_lives_through_silence_and_panics() -> Result<()> {
    let (client, faults) = wayward()?;
    plan(&faults.claim, &[Fault::Silence, Fault::Panic]);
    plan(&faults.finish, &[Fault::Silence, Fault::Panic]);
    let id = greet::enqueue(&client, ()).await?.id();
    let builder = Worker::<()>::builder().client(client.clone()).tasks(pgq::tasks![greet]);
    let worker = builder.lease(Duration::from_secs(1)).spawn().await?;
    let completed = async {
        while standing(&client, id).await?.0 != State::Completed {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok::<_, Error>(())
    };
    tokio::time::timeout(Duration::from_secs(40), completed).await.expect("it completes")?;
    assert_eq!(faults.reconnects.load(Ordering::SeqCst), 2, "a link without an answer is left");
    worker.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_declared_gone_fires_its_tokens_and_registers_anew() -> Result<()> {
    let (client, faults) = wayward()?;
    let waiting = wait::enqueue(&client, ()).await?.id();
    let (told, mut runs) = mpsc::unbounded_channel();
    let builder = Worker::builder().client(client.clone()).tasks(pgq::tasks![wait, tell]).resources(Ear { told });
    let worker = builder.spawn().await?;
    tokio::time::timeout(Duration::from_secs(20), runs.recv()).await.expect("it starts");
    plan(&faults.renew, &[Fault::Gone]);
    let told_to_end = async {
        while standing(&client, waiting).await?.0 != State::Completed {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok::<_, Error>(())
    };
    tokio::time::timeout(Duration::from_secs(20), told_to_end).await.expect("its token fires")?;
    tell::enqueue(&client, ()).await?;
    tokio::time::timeout(Duration::from_secs(20), runs.recv()).await.expect("its next session runs jobs");
    assert_eq!(faults.sessions.load(Ordering::SeqCst), 2);
    worker.stop().await
}
