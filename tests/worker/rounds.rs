//! Units of several limits among workers that wait for them, once there is nothing left to start, by a clock that stands still.

use std::sync::Arc;
use std::time::Duration;

use pgq::testing::ManualClock;
use pgq::{BoxError, Client, Context, Env, Error, Resources, Result, State, Timestamp, Worker};
use tokio::sync::{Semaphore, mpsc};

use super::faults::{Faults, wayward_by};

/// Where handlers say that they run, and stay until they are let go.
#[derive(Clone, pgq::Provide)]
struct Deck {
    told: mpsc::UnboundedSender<u32>,
    gate: Arc<Semaphore>,
}

impl Resources for Deck {
    async fn init(_: &Env) -> Result<Self> {
        Err(Error::init("these tests hand theirs over"))
    }
}

impl Deck {
    async fn stay(&self, number: u32) -> std::result::Result<(), BoxError> {
        self.told.send(number)?;
        self.gate.acquire().await?.forget();
        Ok(())
    }
}

#[pgq::task(concurrency = 2, rps = 10.0, burst = 2)]
async fn capstan(ctx: Context<Deck>, number: u32) -> std::result::Result<(), BoxError> {
    ctx.stay(number).await
}

#[pgq::task(limit(name = "fore", concurrency = 2), limit(name = "aft", concurrency = 2))]
async fn bollard(ctx: Context<Deck>, number: u32) -> std::result::Result<(), BoxError> {
    ctx.stay(number).await
}

#[pgq::task(limit(name = "bow", rps = 10.0, burst = 2), limit(name = "stern", rps = 1, per = "1h"))]
async fn hawser(ctx: Context<Deck>, number: u32) -> std::result::Result<(), BoxError> {
    ctx.stay(number).await
}

#[pgq::task(limit(name = "larboard", concurrency = 2), limit(name = "starboard", concurrency = 1))]
async fn halyard(ctx: Context<Deck>, number: u32) -> std::result::Result<(), BoxError> {
    ctx.stay(number).await
}

/// Has no jobs, nor has the next one.
#[pgq::task(limit(name = "fore", concurrency = 2), limit(name = "larboard", concurrency = 2))]
async fn cleat(_ctx: Context<Deck>) -> std::result::Result<(), BoxError> {
    Ok(())
}

#[pgq::task(limit(name = "bow", rps = 10.0, burst = 2))]
async fn fender(_ctx: Context<Deck>) -> std::result::Result<(), BoxError> {
    Ok(())
}

struct Fleet {
    clock: ManualClock,
    client: Client,
    faults: Arc<Faults>,
    gate: Arc<Semaphore>,
    begun: mpsc::UnboundedReceiver<u32>,
    workers: Vec<Worker<Deck>>,
}

impl Fleet {
    async fn of(count: usize, tasks: fn() -> pgq::Tasks<Deck>) -> Self {
        let clock = ManualClock::at(Timestamp::EPOCH);
        let (client, faults) = wayward_by(&clock).unwrap();
        let (told, begun) = mpsc::unbounded_channel();
        let deck = Deck { told, gate: Arc::new(Semaphore::new(0)) };
        let mut workers = Vec::new();
        for _ in 0..count {
            let builder = Worker::builder().client(client.clone()).tasks(tasks());
            let builder = builder.resources(deck.clone()).slots(8).drain_timeout(Duration::from_hours(1));
            workers.push(builder.lease(Duration::from_hours(1)).spawn().await.unwrap());
        }
        Self { clock, client, faults, gate: deck.gate, begun, workers }
    }

    async fn one_begins(&mut self) {
        let begins = tokio::time::timeout(Duration::from_secs(20), self.begun.recv());
        assert!(begins.await.expect("another one begins").is_some());
    }

    async fn pass(&self, steps: u32) {
        for _ in 0..steps {
            self.clock.advance(Duration::from_millis(50));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// How often the workers said what they have of limits, in 50 ms that pass so many times.
    async fn says_in(&self, steps: u32) -> usize {
        let before = *self.faults.shared.borrow();
        self.pass(steps).await;
        *self.faults.shared.borrow() - before
    }

    async fn end(self) {
        self.gate.add_permits(1_000);
        for worker in self.workers {
            worker.stop().await.unwrap();
        }
    }
}

/// Each would look for one with what comes first, and hand that to the next one that waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waited_for_jobs_that_are_gone_says_nothing_of_their_limits() {
    let mut fleet = Fleet::of(5, || pgq::tasks![capstan, bollard, cleat]).await;
    for task in ["capstan", "bollard"] {
        if task == "capstan" {
            capstan::enqueue_many(&fleet.client, 0..50).await.unwrap();
        } else {
            bollard::enqueue_many(&fleet.client, 0..50).await.unwrap();
        }
        for _ in 0..2 {
            fleet.one_begins().await;
        }
        fleet.pass(40).await;
        fleet.client.jobs().task(task).state(State::Available).cancel("gone").await.unwrap();
        fleet.gate.add_permits(2);
        fleet.pass(40).await;
        let said = fleet.says_in(100).await;
        assert!(said <= 10, "in 5 seconds without a job of {task} they have said {said} times what they have");
    }
    fleet.end().await;
}

/// Each would ask for what there is of the first limit, and hand it on as there is nothing of the second.
async fn says_little_of_the_first(tasks: fn() -> pgq::Tasks<Deck>, jobs: impl Iterator<Item = pgq::AnyJob>) {
    let mut fleet = Fleet::of(5, tasks).await;
    pgq::enqueue_many(&fleet.client, jobs).await.unwrap();
    fleet.one_begins().await;
    fleet.pass(100).await;
    let said = fleet.says_in(100).await;
    assert!(said <= 10, "in 5 seconds in which none may start they have said {said} times what they have");
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_the_second_of_two_rates_says_little_of_the_first() {
    let jobs = || (0..50).map(|number| hawser::job(number).into());
    says_little_of_the_first(|| pgq::tasks![hawser], jobs()).await;
    says_little_of_the_first(|| pgq::tasks![hawser, fender], jobs()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_the_second_of_two_shared_concurrencies_says_little_of_the_first() {
    let jobs = || (0..50).map(|number| halyard::job(number).into());
    says_little_of_the_first(|| pgq::tasks![halyard], jobs()).await;
    says_little_of_the_first(|| pgq::tasks![halyard, cleat], jobs()).await;
}
