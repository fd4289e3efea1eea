//! Whose rows come back: through a pooler the worst that happens is no error, but somebody else's answer.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pgq::sqlx::{self, PgPool};
use pgq::{Client, Context, JobId, State, Worker};
use pgq_testdb::Database;
use tokio::task::JoinSet;

use super::bouncer;
use crate::world::installed;

const PRODUCERS: u32 = 24;
const BATCHES: u32 = 12;
const EACH: u32 = 5;
const WORKERS: usize = 4;

/// A job, and what it was given.
type Given = BTreeSet<(JobId, String)>;

#[derive(pgq::Provide)]
struct App {
    ran: Arc<Mutex<Given>>,
}

impl pgq::Resources for App {
    async fn init(_: &pgq::Env) -> pgq::Result<Self> {
        Err(pgq::Error::init("these tests hand theirs over"))
    }
}

/// One in five needs a second attempt.
#[pgq::task]
async fn note(ctx: Context<App>, text: String) -> Result<(), pgq::BoxError> {
    if text.ends_with('0') && ctx.attempt() == 1 {
        return Err(pgq::retry_in(Duration::from_millis(10)).into());
    }
    ctx.ran.lock().unwrap().insert((ctx.job_id(), text));
    Ok(())
}

/// Writes in the transaction that completes its job.
#[pgq::task]
async fn keep(ctx: Context<App>, tx: &pgq::Tx, text: String) -> Result<(), pgq::BoxError> {
    let insert = sqlx::query("insert into kept values ($1, $2)").bind(ctx.job_id().0).bind(text).persistent(false);
    insert.execute(&mut *tx.conn().await?).await?;
    Ok(())
}

fn client(database: &Database) -> Client {
    Client::builder().unwrap().poll_only().pool(bouncer::pool(database))
}

fn texts(producer: u32, batch: u32) -> Vec<String> {
    (0..EACH).map(|n| format!("{producer}/{batch}/{n}")).collect()
}

/// Enqueues in every way, no text twice, and looks beside all the others; by the ids that came back.
async fn produce(client: Client, producer: u32) -> Vec<(JobId, String)> {
    let mut sent = Vec::new();
    for batch in 0..BATCHES {
        let texts = texts(producer, batch);
        let handles: Vec<JobId> = match batch % 4 {
            0 => ids(&note::enqueue_many(&client, texts.clone()).await.unwrap()),
            1 => {
                let tx = client.begin().await.unwrap();
                let handles = ids(&keep::enqueue_many(&tx, texts.clone()).await.unwrap());
                tx.commit().await.unwrap();
                handles
            }
            2 => {
                let mut transaction = client.pool().unwrap().begin().await.unwrap();
                let handles = ids(&note::enqueue_many(client.on(&mut transaction), texts.clone()).await.unwrap());
                transaction.commit().await.unwrap();
                handles
            }
            _ => {
                let mut bare = client.pool().unwrap().acquire().await.unwrap();
                ids(&keep::enqueue_many(client.on(&mut bare), texts.clone()).await.unwrap())
            }
        };
        sent.extend(handles.into_iter().zip(texts));
        let (id, text) = sent.last().unwrap();
        assert_eq!(seen(&client, *id).await, *text);
    }
    sent
}

fn ids<T>(handles: &[pgq::Handle<T>]) -> Vec<JobId> {
    handles.iter().map(pgq::Handle::id).collect()
}

/// What the job of an id was given.
async fn seen(client: &Client, id: JobId) -> String {
    let job = client.get(id).await.unwrap().unwrap();
    assert_eq!(job.id, id);
    job.args().unwrap().as_str().unwrap().to_owned()
}

/// Until nothing is left, for as long as it gets on. Polled, because a database tells nobody.
async fn done(client: &Client) {
    let states = [State::Scheduled, State::Available, State::Running, State::Retryable];
    let unfinished = states.into_iter().fold(client.jobs(), pgq::Jobs::state);
    let (mut left, mut since) = (u64::MAX, Instant::now());
    while left > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = unfinished.count().await.unwrap().jobs;
        if now < left {
            (left, since) = (now, Instant::now());
        }
        assert!(since.elapsed() < Duration::from_mins(1), "{left} jobs don't run");
    }
}

async fn kept(pool: &PgPool) -> Given {
    let rows: Vec<(i64, String)> = sqlx::query_as("select job, text from kept").fetch_all(pool).await.unwrap();
    rows.into_iter().map(|(id, text)| (JobId(id), text)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_row_is_the_one_that_was_asked_for() {
    compare_rows(client).await;
}

#[cfg(feature = "keeping-pooler")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn producers_need_not_be_poll_only_where_the_pooler_keeps_statements() {
    compare_rows(|database| Client::from_pool(bouncer::pool(database)).unwrap()).await;
}

async fn compare_rows(producer: impl Fn(&Database) -> Client) {
    let database = installed().await;
    let pool = database.pool().await.unwrap();
    sqlx::query("create table kept (job bigint primary key, text text)").execute(&pool).await.unwrap();
    let (ran, mut workers, mut producers) = (Arc::<Mutex<Given>>::default(), Vec::new(), JoinSet::new());
    for _ in 0..WORKERS {
        let builder = Worker::builder().client(client(&database)).tasks(pgq::tasks![note, keep]);
        workers.push(builder.resources(App { ran: Arc::clone(&ran) }).slots(8).spawn().await.unwrap());
    }
    for number in 0..PRODUCERS {
        producers.spawn(produce(producer(&database), number));
    }
    let sent: Given = producers.join_all().await.into_iter().flatten().collect();
    assert_eq!(sent.len(), (PRODUCERS * BATCHES * EACH) as usize, "no id came back twice");
    let direct = Client::from_pool(pool.clone()).unwrap();
    for (id, text) in &sent {
        assert_eq!(seen(&direct, *id).await, *text, "as the server has it");
    }
    done(&direct).await;
    let mut done = ran.lock().unwrap().clone();
    done.extend(kept(&pool).await);
    assert_eq!(done, sent, "each ran, with what it was given");
    for worker in workers {
        worker.stop().await.unwrap();
    }
}
