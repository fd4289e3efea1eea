//! A pooler that dies and comes back, and a server behind one that does.

use std::collections::BTreeSet;
use std::time::Duration;

use pgq::sqlx::{self, PgPool};
use pgq::{BoxError, Client, Context, JobId, Worker};
use pgq_testdb::{Options, Server};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

use super::bouncer::Bouncer;
use crate::world::installed;

#[derive(pgq::Provide)]
struct App {
    told: UnboundedSender<u32>,
}

impl pgq::Resources for App {
    async fn init(_: &pgq::Env) -> pgq::Result<Self> {
        Err(pgq::Error::init("these tests hand theirs over"))
    }
}

#[pgq::task]
async fn tell(ctx: Context<App>, number: u32) -> Result<(), pgq::BoxError> {
    Ok(ctx.told.send(number)?)
}

/// The limit only bounds how long a failing test takes.
async fn next(told: &mut UnboundedReceiver<u32>) -> u32 {
    tokio::time::timeout(Duration::from_secs(30), told.recv()).await.expect("a job runs").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_goes_on_when_its_pooler_was_killed_and_is_back() {
    let database = installed().await;
    let mut bouncer = Bouncer::before(&database);
    let client = Client::builder().unwrap().poll_only().pool(bouncer.pool(&database));
    let direct = Client::from_pool(database.pool().await.unwrap()).unwrap();
    let (told, mut ear) = unbounded_channel();
    let builder = Worker::builder().client(client.clone()).tasks(pgq::tasks![tell]).resources(App { told });
    let worker = builder.spawn().await.unwrap();
    for number in 0..3 {
        tell::enqueue(&direct, number).await.unwrap();
        assert_eq!(next(&mut ear).await, number);
        bouncer.restart();
    }
    tell::enqueue(&client, 7).await.unwrap();
    assert_eq!(next(&mut ear).await, 7, "its producers go on too");
    worker.stop().await.unwrap();
}

/// What handlers tell, and wait for.
#[derive(Clone, pgq::Provide)]
struct Desk {
    begun: UnboundedSender<(JobId, String)>,
    open: watch::Receiver<bool>,
}

impl pgq::Resources for Desk {
    async fn init(_: &pgq::Env) -> pgq::Result<Self> {
        Err(pgq::Error::init("these tests hand theirs over"))
    }
}

impl Desk {
    async fn take(&self, id: JobId, text: &str) -> Result<(), BoxError> {
        self.begun.send((id, text.to_owned()))?;
        self.open.clone().wait_for(|open| *open).await?;
        Ok(())
    }
}

#[pgq::task(keep = "1d", retry = fixed("100ms", attempts = 1_000))]
async fn do_by_itself(ctx: Context<Desk>, text: String) -> Result<(), BoxError> {
    ctx.take(ctx.job_id(), &text).await
}

/// Writes in the transaction that completes its job.
#[pgq::task(keep = "1d", retry = fixed("100ms", attempts = 1_000))]
async fn do_in_its_transaction(ctx: Context<Desk>, tx: &pgq::Tx, text: String) -> Result<(), BoxError> {
    let insert = sqlx::query("insert into done values ($1, $2)").bind(ctx.job_id().0).bind(&text).persistent(false);
    insert.execute(&mut *tx.conn().await?).await?;
    ctx.take(ctx.job_id(), &text).await
}

/// A job, and what it was given.
type Given = BTreeSet<(i64, String)>;

/// Of each task.
async fn promise(client: &Client, part: &str) -> (Given, Given) {
    let texts = |how: &str| (0..40).map(|n| format!("{part}/{how}/{n}")).collect::<Vec<_>>();
    let (alone, within) = (texts("alone"), texts("within"));
    let ones = do_by_itself::enqueue_many(client, alone.clone()).await.unwrap();
    let others = do_in_its_transaction::enqueue_many(client, within.clone()).await.unwrap();
    (
        ones.iter().map(|handle| handle.id().0).zip(alone).collect(),
        others.iter().map(|handle| handle.id().0).zip(within).collect(),
    )
}

async fn rows(pool: &PgPool, query: &'static str) -> Vec<(i64, String)> {
    sqlx::query_as(query).fetch_all(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_end_once_though_the_server_behind_the_pooler_is_killed() {
    let server = Server::start(Options::default()).unwrap();
    let bouncer = Bouncer::before_server(&server);
    let direct = Client::connect(&server.url()).await.unwrap();
    direct.migrate().await.unwrap();
    let admin = direct.pool().unwrap();
    sqlx::raw_sql("create table done (job bigint not null, text text not null)").execute(admin).await.unwrap();
    let client = Client::builder().unwrap().poll_only().pool(bouncer.pool_of("postgres"));
    let (mut alone, mut within) = promise(&client, "before").await;

    let ((begun, mut ear), (gate, open)) = (unbounded_channel(), watch::channel(false));
    let tasks = || pgq::tasks![do_by_itself, do_in_its_transaction];
    let mut workers = Vec::new();
    for _ in 0..2 {
        let desk = Desk { begun: begun.clone(), open: open.clone() };
        let builder = Worker::builder().client(client.clone()).tasks(tasks()).resources(desk).slots(2);
        workers.push(builder.spawn().await.unwrap());
    }
    ear.recv().await.unwrap();
    server.kill().unwrap();
    gate.send_replace(true);
    server.restart().unwrap();

    let more = promise(&Client::connect(&server.url()).await.unwrap(), "after").await;
    alone.extend(more.0);
    within.extend(more.1);
    let left = "select id, task from pgq.job";
    let ended = async {
        while !rows(admin, left).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(150), ended).await.expect("all jobs end");
    for worker in workers {
        worker.stop().await.unwrap();
    }
    let once: Vec<_> = within.iter().cloned().collect();
    assert_eq!(rows(admin, "select * from done order by job").await, once, "each effect once, of its own job");
    let mut promised: Vec<i64> = alone.iter().chain(&within).map(|(id, _)| *id).collect();
    promised.sort_unstable();
    let completed = "select id from pgq.history where state = 4 order by id";
    let completed: Vec<i64> = sqlx::query_scalar(completed).fetch_all(admin).await.unwrap();
    assert_eq!(completed, promised, "each job has one end");
    let mut given = BTreeSet::new();
    while let Ok((id, text)) = ear.try_recv() {
        given.insert((id.0, text));
    }
    assert!(given.is_subset(&alone.union(&within).cloned().collect()), "each was given its own");
}
