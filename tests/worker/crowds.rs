//! Workers all of whose slots are taken, and limits without a key.

use std::sync::Arc;
use std::time::Duration;

use pgq::{Client, Context, Env, Error, JobBuilder, Resources, Result, Task, Worker};
use tokio::sync::{Semaphore, mpsc};

use crate::world::{installed, soon};

/// Where handlers say that they run, and stay until they are let go.
#[derive(Clone, pgq::Provide)]
struct Yard {
    told: mpsc::UnboundedSender<&'static str>,
    gate: Arc<Semaphore>,
}

impl Resources for Yard {
    async fn init(_: &Env) -> Result<Self> {
        Err(Error::init("these tests hand theirs over"))
    }
}

impl Yard {
    async fn stay(&self, what: &'static str) -> std::result::Result<(), pgq::BoxError> {
        self.told.send(what)?;
        self.gate.acquire().await?.forget();
        Ok(())
    }

    /// For longer than a unit's turn.
    async fn last(&self, what: &'static str) -> std::result::Result<(), pgq::BoxError> {
        self.told.send(what)?;
        tokio::time::sleep(Duration::from_millis(30)).await;
        Ok(())
    }
}

#[pgq::task]
async fn lug(ctx: Context<Yard>) -> std::result::Result<(), pgq::BoxError> {
    ctx.stay("lug").await
}

#[pgq::task(concurrency = 1, priority = 10)]
async fn crane(ctx: Context<Yard>) -> std::result::Result<(), pgq::BoxError> {
    ctx.stay("crane").await
}

#[pgq::task(concurrency = 1, limit(name = "crowded-yard", concurrency = 1), priority = 10)]
async fn hoist(ctx: Context<Yard>) -> std::result::Result<(), pgq::BoxError> {
    ctx.stay("hoist").await
}

#[pgq::task(limit(name = "first-quay", concurrency = 1))]
async fn winch(ctx: Context<Yard>) -> std::result::Result<(), pgq::BoxError> {
    ctx.last("other").await
}

#[pgq::task(limit(name = "first-quay", concurrency = 1), limit(name = "second-quay", concurrency = 1), priority = 10)]
async fn gantry(ctx: Context<Yard>) -> std::result::Result<(), pgq::BoxError> {
    ctx.last("of two").await
}

#[pgq::task(limit(name = "tide", rps = 25.0, burst = 1))]
async fn drift(ctx: Context<Yard>) -> std::result::Result<(), pgq::BoxError> {
    ctx.last("other").await
}

#[pgq::task(limit(name = "tide", rps = 25.0, burst = 1), limit(name = "berth", concurrency = 1), priority = 10)]
async fn dock(ctx: Context<Yard>) -> std::result::Result<(), pgq::BoxError> {
    ctx.last("of two").await
}

/// Until no worker waits for a limit. Polled, as nobody is told of that.
#[pgq::task(limit(name = "slipway", concurrency = 1))]
async fn careen(ctx: Context<Yard>) -> std::result::Result<(), pgq::BoxError> {
    tokio::time::sleep(Duration::from_millis(170)).await;
    ctx.last("other").await
}

#[pgq::task(limit(name = "caulkers", concurrency = 2), limit(name = "slipway", concurrency = 1), priority = 10)]
async fn launch(ctx: Context<Yard>) -> std::result::Result<(), pgq::BoxError> {
    ctx.last("of two").await
}

async fn until_nobody_waits(client: &Client) {
    while client.limits().await.unwrap().iter().flat_map(|limit| &limit.shares).any(|share| share.waits_for > 0) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Units would go round among those who can start nothing, and be elsewhere whenever one could.
async fn what_full_workers_can_not_start_is_there_for_the_first_slot_that_is_free<T: Task<Args = ()>>(client: Client) {
    let (told, mut begun) = mpsc::unbounded_channel();
    let yard = Yard { told, gate: Arc::new(Semaphore::new(0)) };
    let mut workers = Vec::new();
    for _ in 0..3 {
        let builder = Worker::builder().client(client.clone()).tasks(pgq::tasks![lug, crane, hoist]);
        let builder =
            builder.queues(["default", "yard"]).resources(yard.clone()).slots(1).drain_timeout(Duration::ZERO);
        workers.push(builder.spawn().await.unwrap());
    }
    lug::enqueue_many(&client, [(); 3]).await.unwrap();
    for _ in 0..3 {
        assert_eq!(soon("all are full", begun.recv()).await, Some("lug"));
    }
    lug::enqueue_many(&client, [(); 100]).await.unwrap();
    JobBuilder::<T>::new(()).enqueue(&client).await.unwrap();
    // Each has seen it now, and could only ask for what it takes.
    yard.gate.add_permits(3);
    let mut limited = 0;
    for _ in 0..3 {
        limited += usize::from(soon("each takes another one", begun.recv()).await == Some(T::NAME));
    }
    let mut lugs = 0;
    while limited == 0 {
        soon("who can start nothing waits for nothing", until_nobody_waits(&client)).await;
        yard.gate.add_permits(1);
        limited += usize::from(soon("another one begins", begun.recv()).await == Some(T::NAME));
        lugs += 1;
        assert!(lugs < 80, "it never comes first");
        // On a busy machine the slot may have been kept for too short, and isn't kept again for a while.
        tokio::time::sleep(Duration::from_millis(20) * lugs).await;
    }
    yard.gate.add_permits(1_000);
    for worker in workers {
        worker.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_full_workers_can_not_start_is_there_for_the_first_slot_that_is_free_in_memory() {
    what_full_workers_can_not_start_is_there_for_the_first_slot_that_is_free::<crane>(Client::memory()).await;
    what_full_workers_can_not_start_is_there_for_the_first_slot_that_is_free::<hoist>(Client::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_full_workers_can_not_start_is_there_for_the_first_slot_that_is_free_in_postgres() {
    let databases = [installed().await, installed().await];
    let [one, other] = &databases;
    let client = Client::from_pool(one.pool().await.unwrap()).unwrap();
    what_full_workers_can_not_start_is_there_for_the_first_slot_that_is_free::<crane>(client).await;
    let client = Client::from_pool(other.pool().await.unwrap()).unwrap();
    what_full_workers_can_not_start_is_there_for_the_first_slot_that_is_free::<hoist>(client).await;
}

/// Whoever has a unit of the first limit would use it up for the other task while one of the second is on its way.
async fn a_task_of_two_limits_starts_though_another_one_uses_the_first<T: Task<Args = ()>, O: Task<Args = ()>>(
    client: Client,
) {
    let (told, mut begun) = mpsc::unbounded_channel();
    let yard = Yard { told, gate: Arc::new(Semaphore::new(0)) };
    pgq::enqueue_many(&client, (0..200).map(|_| JobBuilder::<O>::new(()).into())).await.unwrap();
    pgq::enqueue_many(&client, (0..200).map(|_| JobBuilder::<T>::new(()).into())).await.unwrap();
    let mut workers = Vec::new();
    for _ in 0..4 {
        let builder = Worker::builder().client(client.clone()).tasks(pgq::tasks![winch, gantry, drift, dock]);
        let builder =
            builder.queues(["default", "yard"]).resources(yard.clone()).slots(8).drain_timeout(Duration::ZERO);
        workers.push(builder.spawn().await.unwrap());
    }
    let mut of_two = 0;
    for _ in 0..40 {
        of_two += usize::from(soon("another one begins", begun.recv()).await == Some("of two"));
    }
    assert!(of_two >= 4, "of 40 that began {of_two} are of the higher priority");
    for worker in workers {
        worker.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_of_two_limits_starts_though_another_one_uses_the_first_in_memory() {
    a_task_of_two_limits_starts_though_another_one_uses_the_first::<gantry, winch>(Client::memory()).await;
    a_task_of_two_limits_starts_though_another_one_uses_the_first::<dock, drift>(Client::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_of_two_limits_starts_though_another_one_uses_the_first_in_postgres() {
    let databases = [installed().await, installed().await];
    let [one, other] = &databases;
    let client = Client::from_pool(one.pool().await.unwrap()).unwrap();
    a_task_of_two_limits_starts_though_another_one_uses_the_first::<gantry, winch>(client).await;
    let client = Client::from_pool(other.pool().await.unwrap()).unwrap();
    a_task_of_two_limits_starts_though_another_one_uses_the_first::<dock, drift>(client).await;
}

/// Whoever has a unit of the second limit would use it up for the other task while one of the first is on its way.
async fn a_task_of_two_limits_starts_though_another_one_uses_the_second(client: Client) {
    let (told, mut begun) = mpsc::unbounded_channel();
    let yard = Yard { told, gate: Arc::new(Semaphore::new(0)) };
    careen::enqueue_many(&client, [(); 100]).await.unwrap();
    let mut workers = Vec::new();
    for _ in 0..6 {
        let builder = Worker::builder().client(client.clone()).tasks(pgq::tasks![careen, launch]);
        let builder = builder.resources(yard.clone()).slots(8).drain_timeout(Duration::ZERO);
        workers.push(builder.spawn().await.unwrap());
    }
    assert_eq!(soon("one begins", begun.recv()).await, Some("other"));
    launch::enqueue_many(&client, [(); 100]).await.unwrap();
    let mut of_two = 0;
    for _ in 0..40 {
        of_two += usize::from(soon("another one begins", begun.recv()).await == Some("of two"));
    }
    assert!(of_two >= 8, "of 40 that began {of_two} are of the higher priority");
    for worker in workers {
        worker.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_of_two_limits_starts_though_another_one_uses_the_second_in_memory() {
    a_task_of_two_limits_starts_though_another_one_uses_the_second(Client::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_of_two_limits_starts_though_another_one_uses_the_second_in_postgres() {
    let database = installed().await;
    a_task_of_two_limits_starts_though_another_one_uses_the_second(
        Client::from_pool(database.pool().await.unwrap()).unwrap(),
    )
    .await;
}

#[pgq::task(limit(name = "sluice", concurrency = 1))]
async fn spillway(ctx: Context<Yard>) -> std::result::Result<(), pgq::BoxError> {
    ctx.last("of the first").await
}

#[pgq::task(limit(name = "towpath", concurrency = 1))]
async fn scow(ctx: Context<Yard>) -> std::result::Result<(), pgq::BoxError> {
    tokio::time::sleep(Duration::from_millis(170)).await;
    ctx.last("of the second").await
}

#[pgq::task(limit(name = "sluice", concurrency = 1), limit(name = "towpath", concurrency = 1), priority = 10)]
async fn lockage(ctx: Context<Yard>) -> std::result::Result<(), pgq::BoxError> {
    ctx.last("of both").await
}

/// Whatever comes of either limit would be used up before there is some of both.
async fn a_task_of_two_limits_starts_though_others_use_each(client: Client) {
    let (told, mut begun) = mpsc::unbounded_channel();
    let yard = Yard { told, gate: Arc::new(Semaphore::new(0)) };
    let mut workers = Vec::new();
    for _ in 0..6 {
        let builder = Worker::builder().client(client.clone()).tasks(pgq::tasks![spillway, scow, lockage]);
        let builder = builder.resources(yard.clone()).slots(8).drain_timeout(Duration::ZERO);
        workers.push(builder.spawn().await.unwrap());
    }
    spillway::enqueue_many(&client, [(); 2_000]).await.unwrap();
    scow::enqueue_many(&client, [(); 2_000]).await.unwrap();
    let (mut first, mut second) = (0, 0);
    while first == 0 || second == 0 {
        let what = soon("one begins", begun.recv()).await;
        first += usize::from(what == Some("of the first"));
        second += usize::from(what == Some("of the second"));
    }
    lockage::enqueue_many(&client, [(); 2_000]).await.unwrap();
    let (mut both, mut others) = (0, 0);
    while both < 5 {
        let what = soon("another one begins", begun.recv()).await;
        *if what == Some("of both") { &mut both } else { &mut others } += 1;
        assert!(others < 1_500, "{both} of both have begun, and {others} others");
    }
    assert!(others > 10, "{others} others have begun");
    for worker in workers {
        worker.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_of_two_limits_starts_though_others_use_each_in_memory() {
    a_task_of_two_limits_starts_though_others_use_each(Client::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_of_two_limits_starts_though_others_use_each_in_postgres() {
    let database = installed().await;
    a_task_of_two_limits_starts_though_others_use_each(Client::from_pool(database.pool().await.unwrap()).unwrap())
        .await;
}
