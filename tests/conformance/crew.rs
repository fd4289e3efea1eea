//! Workers that are told nothing in time: what they claim and what they say of limits may be on its way for long, or get no answer;
//! they fall silent, and some of them go on.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use pgq::backend::{Ask, Measure, PoolName};
use pgq::testing::Stepper;
use pgq::{BoxError, Client, Context, Result, Timestamp};
use tokio::sync::Semaphore;

use super::terms::Account;
use crate::worker::faults::{Fault, Faults, plan};

/// For how long a worker lives without a sign of life.
pub(super) const LEASE: Duration = Duration::from_secs(15);

/// Where one worker's attempts wait until they may end.
#[derive(Clone, pgq::Provide)]
pub(super) struct Site {
    account: Arc<Account>,
    exit: Arc<Semaphore>,
    inside: Arc<[AtomicUsize; 4]>,
    #[provide(skip)]
    ended: Arc<AtomicUsize>,
    /// How many changes of limits the worker knows of.
    #[provide(skip)]
    looked: Arc<AtomicUsize>,
    is_gone: Arc<AtomicBool>,
}

impl pgq::Resources for Site {
    async fn init(_: &pgq::Env) -> Result<Self> {
        Err(pgq::Error::init("these tests hand theirs over"))
    }
}

impl Site {
    fn new(account: &Arc<Account>) -> Self {
        let (exit, inside, looked) = (Arc::new(Semaphore::new(0)), Arc::default(), Arc::default());
        Self { account: Arc::clone(account), exit, inside, ended: Arc::default(), looked, is_gone: Arc::default() }
    }

    fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::SeqCst)
    }

    async fn work(&self, task: usize) -> std::result::Result<(), BoxError> {
        self.account.begin(task, self.looked.load(Ordering::SeqCst), self.is_gone());
        self.inside[task].fetch_add(1, Ordering::SeqCst);
        self.exit.acquire().await?.forget();
        self.inside[task].fetch_sub(1, Ordering::SeqCst);
        if !self.is_gone() {
            self.account.end(task, 1);
        }
        self.ended.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn inside(&self) -> usize {
        self.inside.iter().map(|inside| inside.load(Ordering::SeqCst)).sum()
    }

    /// What it runs doesn't count any more.
    fn go(&self) {
        self.is_gone.store(true, Ordering::SeqCst);
        for (task, inside) in self.inside.iter().enumerate() {
            self.account.end(task, inside.load(Ordering::SeqCst));
        }
    }
}

pub(super) mod before {
    use super::{BoxError, Context, Site};

    #[pgq::task(concurrency = 2)]
    pub(in super::super) async fn slate(ctx: Context<Site>, _number: u32) -> std::result::Result<(), BoxError> {
        ctx.work(0).await
    }

    #[pgq::task(concurrency = 3, limit(name = "quarry", concurrency = 3))]
    pub(in super::super) async fn girder(ctx: Context<Site>, _number: u32) -> std::result::Result<(), BoxError> {
        ctx.work(1).await
    }

    #[pgq::task(limit(name = "quarry", concurrency = 3))]
    pub(in super::super) async fn cart(ctx: Context<Site>, _number: u32) -> std::result::Result<(), BoxError> {
        ctx.work(2).await
    }

    #[pgq::task(rps = 40, limit(name = "quarry", concurrency = 3))]
    pub(in super::super) async fn gravel(ctx: Context<Site>, _number: u32) -> std::result::Result<(), BoxError> {
        ctx.work(3).await
    }
}

/// The next version: other bounds, and one more and one less that share a limit.
mod after {
    use super::{BoxError, Context, Site};

    #[pgq::task(name = "slate", concurrency = 4, limit(name = "quarry", concurrency = 5))]
    pub(super) async fn slate(ctx: Context<Site>, _number: u32) -> std::result::Result<(), BoxError> {
        ctx.work(0).await
    }

    #[pgq::task(name = "girder", limit(name = "quarry", concurrency = 5))]
    pub(super) async fn girder(ctx: Context<Site>, _number: u32) -> std::result::Result<(), BoxError> {
        ctx.work(1).await
    }

    #[pgq::task(name = "cart", concurrency = 1, rps = 20)]
    pub(super) async fn cart(ctx: Context<Site>, _number: u32) -> std::result::Result<(), BoxError> {
        ctx.work(2).await
    }

    #[pgq::task(name = "gravel", rps = 10, burst = 3, limit(name = "quarry", concurrency = 5))]
    pub(super) async fn gravel(ctx: Context<Site>, _number: u32) -> std::result::Result<(), BoxError> {
        ctx.work(3).await
    }
}

type Call<T> = Pin<Box<dyn Future<Output = (Box<Stepper>, Result<T>)>>>;

/// A hand on a worker, which is idle or has asked for something that there is no answer to yet.
enum Hand<T> {
    Idle(Box<Stepper>),
    Busy(Call<T>),
}

pub(super) struct Worker {
    claims: Option<Hand<usize>>,
    shares: Option<Hand<()>>,
    rest: Stepper,
    faults: Arc<Faults>,
    site: Site,
    /// When it was last tended.
    pub(super) tended: Timestamp,
}

impl Worker {
    /// One of a client on a backend with these faults, and with faults of its own.
    pub(super) async fn of(
        (client, faults): &(Client, Arc<Faults>),
        account: &Arc<Account>,
        is_next: bool,
        slots: usize,
    ) -> Result<Self> {
        let (own, site) = (Arc::new(Faults::default()), Site::new(account));
        *faults.of_next.lock().unwrap() = Some(Arc::clone(&own));
        let tasks = if is_next {
            pgq::tasks![after::slate, after::girder, after::cart, after::gravel]
        } else {
            pgq::tasks![before::slate, before::girder, before::cart, before::gravel]
        };
        let builder = pgq::Worker::builder().client(client.clone()).tasks(tasks).resources(site.clone()).lease(LEASE);
        site.looked.store(account.version(), Ordering::SeqCst);
        let tended = account.now();
        let rest = builder.slots(slots).stepper().await?;
        let (claims, shares) = (Some(Hand::Idle(Box::new(rest.beside()))), Some(Hand::Idle(Box::new(rest.beside()))));
        Ok(Self { claims, shares, rest, faults: own, site, tended })
    }

    pub(super) const fn stepper(&self) -> &Stepper {
        &self.rest
    }

    /// How many changes of limits it knows of.
    pub(super) fn looked(&self) -> usize {
        self.site.looked.load(Ordering::SeqCst)
    }

    /// Whether somebody has said that its lease is over.
    pub(super) async fn is_gone(&self) -> Result<bool> {
        let nothing = PoolName { limit: "nothing".into(), measure: Measure::Concurrency };
        Ok(self.rest.session().share(vec![(nothing, Ask::default())]).await?[0].1.cap.is_some())
    }

    /// Sends a claim, or hears of the one that was sent.
    pub(super) async fn claim(&mut self, fault: Option<Fault>) {
        let Some(Hand::Idle(mut hand)) = self.claims.take_if(|hand| matches!(hand, Hand::Idle(_))) else {
            return self.hear_claim().await;
        };
        plan(&self.faults.claim, fault.as_slice());
        let mut call: Call<usize> = Box::pin(async move {
            let won = hand.claim().await;
            (hand, won)
        });
        self.claims = tokio::select! {
            biased;
            (hand, won) = &mut call => {
                assert!(won.is_ok() || fault.is_some(), "{won:?}");
                Some(Hand::Idle(hand))
            }
            () = self.faults.held.notified() => Some(Hand::Busy(call)),
        };
        self.faults.claim.clear();
    }

    pub(super) async fn hear_claim(&mut self) {
        if let Some(Hand::Busy(call)) = self.claims.take_if(|hand| matches!(hand, Hand::Busy(_))) {
            self.faults.heard.notify_one();
            self.claims = Some(Hand::Idle(call.await.0));
        }
    }

    /// Looks at limits and says what it has of them. Where that is on its way it is told that there is something new, and looks.
    pub(super) async fn share(&mut self, fault: Option<Fault>) {
        let mut looks = self.faults.looked.subscribe();
        // What it brings about itself by that, it may hear of only with the next look.
        self.site.looked.store(self.site.account.version(), Ordering::SeqCst);
        let busy = match self.shares.take() {
            Some(Hand::Idle(mut hand)) => {
                plan(&self.faults.share, fault.as_slice());
                let mut call: Call<()> = Box::pin(async move {
                    let said = hand.share().await;
                    (hand, said)
                });
                tokio::select! {
                    biased;
                    (hand, said) = &mut call => {
                        assert!(said.is_ok() || fault.is_some(), "{said:?}");
                        Hand::Idle(hand)
                    }
                    () = self.faults.share_held.notified() => Hand::Busy(call),
                }
            }
            Some(Hand::Busy(mut call)) => {
                self.rest.call();
                tokio::select! {
                    biased;
                    (_, said) = &mut call => panic!("there was no answer yet: {said:?}"),
                    looked = looks.changed() => looked.unwrap(),
                }
                Hand::Busy(call)
            }
            None => unreachable!("a hand is there"),
        };
        self.shares = Some(busy);
        self.faults.share.clear();
    }

    pub(super) async fn hear_share(&mut self) {
        if let Some(Hand::Busy(call)) = self.shares.take_if(|hand| matches!(hand, Hand::Busy(_))) {
            self.faults.share_heard.notify_one();
            self.shares = Some(Hand::Idle(call.await.0));
        }
    }

    /// What it says of limits has no answer in time, and it begins anew.
    pub(super) fn give_up_share(&mut self) {
        if matches!(self.shares, Some(Hand::Busy(_))) {
            self.shares = Some(Hand::Idle(Box::new(self.rest.beside())));
        }
    }

    /// It lives, and says what it has of limits.
    pub(super) async fn tend(&mut self, now: Timestamp) -> Result<()> {
        self.hear_share().await;
        self.share(None).await;
        self.tended = now;
        self.rest.beat().await
    }

    /// The attempt that has run for the longest ends, if there is one.
    pub(super) async fn end_one(&self) {
        let before = self.site.ended.load(Ordering::SeqCst);
        if self.site.inside() > 0 {
            self.site.exit.add_permits(1);
            while self.site.ended.load(Ordering::SeqCst) == before {
                tokio::task::yield_now().await;
            }
            tokio::task::yield_now().await;
        }
    }

    /// All that it waits for is heard, all that it runs ends, and is written.
    pub(super) async fn end_all(&mut self) -> Result<()> {
        self.hear_claim().await;
        self.hear_share().await;
        self.site.exit.add_permits(self.site.inside());
        self.rest.settle().await
    }

    pub(super) async fn leave(mut self) -> Result<()> {
        self.end_all().await?;
        self.rest.leave().await
    }

    /// Somebody has said that its lease is over. It goes on, and whatever it does changes nothing.
    pub(super) async fn go(mut self) -> Result<()> {
        self.site.go();
        self.hear_claim().await;
        self.claim(None).await;
        self.hear_share().await;
        self.end_all().await?;
        self.rest.leave().await
    }
}
