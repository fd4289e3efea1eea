//! A server that crashes, and forgets claims which it had answered.

use std::sync::Arc;
use std::time::Duration;

use pgq::backend::{Batch, Claim, Claimed, Session};
use pgq::sqlx::{PgPool, raw_sql};
use pgq::testing::ManualClock;
use pgq::{Client, Context, Result, Timestamp, Worker};
use pgq_testdb::{Options, Server};
use tokio::sync::mpsc;

use crate::world::{World, claim, installed, job, want};

async fn batch(session: &Arc<dyn Session>) -> Result<Batch> {
    let wants = Arc::from([want("default", "a", 9)]);
    session.claim(Claim { wants, groups: Vec::new(), limit: 9, thorough: false, suspect: true }).await
}

fn claims(jobs: &[Claimed]) -> Vec<(pgq::JobId, u32)> {
    jobs.iter().map(|job| (job.id, job.epoch)).collect()
}

/// The first answer on connections to the server that is there now: those to the one before are broken.
async fn again<T>(mut ask: impl AsyncFnMut() -> Result<T>) -> T {
    let answered = async {
        loop {
            if let Ok(answer) = ask().await {
                return answer;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), answered).await.expect("the server is back")
}

#[tokio::test]
async fn after_a_crash_a_lease_wins_nothing_before_it_was_made_sure_of_what_it_holds() {
    // The claim isn't written by anybody else's commit either.
    let options = Options::default().fsync(true).setting("wal_writer_delay", "10s").setting("autovacuum", "off");
    let server = Server::start(options).unwrap();
    for poll_only in [false, true] {
        let pool = PgPool::connect(&server.url()).await.unwrap();
        let clock = ManualClock::at(Timestamp::EPOCH);
        let builder = Client::builder().unwrap().clock(clock.clone());
        let client = if poll_only { builder.poll_only().pool(pool) } else { builder.pool(pool) };
        client.migrate().await.unwrap();
        let world = World::of(client, clock, None);
        let session = world.session(&["a"]).await.unwrap();
        let id = world.put_one(job("a")).await.unwrap();
        let won = claim(&session, &["a"], 9).await.unwrap();
        assert_eq!(claims(&won), [(id, 1)]);
        server.kill().unwrap();
        server.restart().unwrap();
        let after = again(async || batch(&session).await).await;
        assert!(after.forgetful && after.jobs.is_empty(), "{after:?}");
        let reconciled = session.release_all_but(claims(&won)).await.unwrap();
        assert_eq!((reconciled.released, reconciled.forgotten), (0, claims(&won)));
        assert_eq!(claims(&batch(&session).await.unwrap().jobs), [(id, 2)]);
        again(async || world.client.delete(id).await).await;
    }
}

/// What a run says: with which fence it runs, or was told to end.
type Said = (&'static str, i64);

#[derive(pgq::Provide)]
struct App {
    said: mpsc::UnboundedSender<Said>,
}

impl pgq::Resources for App {
    async fn init(_: &pgq::Env) -> Result<Self> {
        Err(pgq::Error::init("these tests hand theirs over"))
    }
}

#[pgq::task(name = "endless")]
async fn endless(ctx: Context<App>) -> std::result::Result<(), pgq::BoxError> {
    ctx.said.send(("runs", ctx.fence()))?;
    ctx.cancelled().await;
    Ok(ctx.said.send(("is told", ctx.fence()))?)
}

/// What a worker with so many slots does when the claim of what it runs is forgotten.
async fn forgotten(poll_only: bool, slots: usize) -> [Said; 3] {
    let database = installed().await;
    let pool = database.pool().await.unwrap();
    let builder = Client::builder().unwrap();
    let client = if poll_only { builder.poll_only().pool(pool.clone()) } else { builder.pool(pool.clone()) };
    let (said, mut hear) = mpsc::unbounded_channel();
    let builder = Worker::builder().client(client.clone()).tasks(pgq::tasks![endless]).resources(App { said });
    let worker = builder.slots(slots).spawn().await.unwrap();
    endless::enqueue(&client, ()).await.unwrap();
    let mut next = async || tokio::time::timeout(Duration::from_secs(20), hear.recv()).await.unwrap().unwrap();
    let first = next().await;
    // As a crash of the server leaves it.
    let forget = "begin; update pgq.job set lease = null, epoch = 0, attempt = 0; delete from pgq.remembered; commit";
    raw_sql(forget).execute(&pool).await.unwrap();
    let then = [first, next().await, next().await];
    worker.stopper().insist();
    worker.stop().await.unwrap();
    then
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_claim_a_crash_forgot_is_told_at_once_and_its_number_is_not_given_twice() {
    for poll_only in [false, true] {
        for slots in [1, 3] {
            let mut said = forgotten(poll_only, slots).await;
            assert_eq!(said[0], ("runs", 1), "poll-only: {poll_only}, slots: {slots}");
            // Where there is room the next attempt may begin while the first one ends.
            said.sort_unstable();
            assert_eq!(said, [("is told", 1), ("runs", 1), ("runs", 2)], "poll-only: {poll_only}, slots: {slots}");
        }
    }
}
