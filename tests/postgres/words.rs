//! What poll-only clients and workers say to the server, word by word: on the connection that a pooler lends them next, nothing
//! may be left of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgq::sqlx::PgPool;
use pgq::sqlx::postgres::{PgConnectOptions, PgSslMode};
use pgq::{BoxError, Client, State, Tx, Worker};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::proxy::{connect, listen};
use crate::world::installed;

/// What was sent on one connection.
type Sent = Arc<Mutex<Vec<u8>>>;

/// Listens in on all connections to a server.
struct Tap {
    options: PgConnectOptions,
    connections: Arc<Mutex<Vec<Sent>>>,
}

impl Tap {
    async fn to(server: PgConnectOptions) -> Self {
        let (listener, options) = listen(&server).await.unwrap();
        let connections = Arc::<Mutex<Vec<Sent>>>::default();
        let kept = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let sent = Sent::default();
                kept.lock().unwrap().push(Arc::clone(&sent));
                tokio::spawn(forward(near, server.clone(), sent));
            }
        });
        Self { options: options.ssl_mode(PgSslMode::Disable), connections }
    }

    /// What isn't over with its transaction.
    fn leaks(&self) -> Vec<String> {
        self.connections.lock().unwrap().iter().flat_map(|sent| leaks(&sent.lock().unwrap())).collect()
    }
}

async fn forward(near: TcpStream, server: PgConnectOptions, sent: Sent) -> std::io::Result<()> {
    let (mut answers, mut asks) = tokio::io::split(connect(&server).await?);
    let (mut near, mut back) = near.into_split();
    let answering = tokio::spawn(async move { tokio::io::copy(&mut answers, &mut back).await });
    let mut part = vec![0; 8_192];
    loop {
        let length = near.read(&mut part).await?;
        if length == 0 {
            answering.abort();
            return asks.shutdown().await;
        }
        sent.lock().unwrap().extend_from_slice(&part[..length]);
        asks.write_all(&part[..length]).await?;
    }
}

/// Of each message the kind and what it says, up to its first two ends of text. The first message of a connection has no kind.
fn messages(sent: &[u8]) -> Vec<(u8, String, String)> {
    let mut found = Vec::new();
    let mut rest = sent.get(length(sent)..).unwrap_or_default();
    while let Some((kind, message)) = rest.split_first() {
        let end = length(message);
        let Some(body) = message.get(4..end) else { break };
        let mut texts = body.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).to_lowercase());
        found.push((*kind, texts.next().unwrap_or_default(), texts.next().unwrap_or_default()));
        rest = &message[end..];
    }
    found
}

fn length(message: &[u8]) -> usize {
    message.first_chunk().map_or(usize::MAX, |bytes| u32::from_be_bytes(*bytes) as usize)
}

fn leaks(sent: &[u8]) -> Vec<String> {
    let (mut is_begun, mut leaks) = (false, Vec::new());
    for (kind, first, second) in messages(sent) {
        let (name, sql) = match kind {
            b'Q' => (String::new(), first),
            b'P' => (first, second),
            _ => continue,
        };
        if kind == b'P' && !is_begun {
            leaks.push(format!("outside of a transaction: {sql}"));
        }
        if !name.is_empty() || sql.split(';').any(|statement| stays(statement.trim())) {
            leaks.push(format!("{name}: {sql}"));
        }
        for statement in sql.split(';') {
            is_begun = match statement.split_whitespace().next() {
                Some("begin") => true,
                Some("commit" | "rollback") => false,
                _ => is_begun,
            };
        }
    }
    leaks
}

/// Whether it is there for longer than its transaction.
fn stays(statement: &str) -> bool {
    let sets = statement.starts_with("set ")
        && !["set local ", "set transaction "].iter().any(|local| statement.starts_with(local));
    let begins = ["listen ", "prepare ", "create temp", "declare "].iter().any(|word| statement.starts_with(word));
    sets || begins || statement.contains("advisory_lock")
}

#[pgq::task(name = "words.plain", concurrency = 2, retry = fixed("10ms"))]
async fn plain(ctx: pgq::Context, number: i64) -> Result<(), BoxError> {
    ctx.progress(1, 2);
    if number == 1 && ctx.attempt() == 1 { Err("not the first time")? } else { Ok(()) }
}

#[pgq::task(name = "words.paid", limit(concurrency = 1, key = "account"))]
async fn paid(tx: &Tx, account: i64, number: i64) -> Result<(), BoxError> {
    plain::enqueue(tx, account + number).await?;
    Ok(())
}

#[pgq::schedule("* * * * * *", name = "words.tick")]
async fn tick() -> Result<(), BoxError> {
    Ok(())
}

/// Lets a worker do what workers do; what is left of it.
async fn leaks_of_a_worker(poll_only: bool) -> Vec<String> {
    let database = installed().await;
    let tap = Tap::to(database.options()).await;
    let pool = PgPool::connect_with(tap.options.clone()).await.unwrap();
    let builder = Client::builder().unwrap();
    let client = if poll_only { builder.poll_only().pool(pool) } else { builder.pool(pool) };
    let worker =
        Worker::<()>::builder().client(client.clone()).tasks(pgq::tasks![plain, paid, tick]).spawn().await.unwrap();
    plain::job(0).delay(Duration::from_millis(20)).unique("0").enqueue(&client).await.unwrap();
    plain::enqueue_many(&client, 1..5).await.unwrap();
    let paid = [(10, 1), (10, 2), (20, 3)].map(|(account, number)| PaidArgs { account, number });
    paid::enqueue_many(&client, paid).await.unwrap();
    let done = async {
        while client.jobs().task("words.plain").state(State::Completed).count().await.unwrap().jobs < 8
            || client.jobs().task("words.tick").state(State::Completed).count().await.unwrap().jobs < 1
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), done).await.expect("all of it runs");
    worker.stop().await.unwrap();
    tap.leaks()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_a_poll_only_worker_says_outlives_its_transaction() {
    assert_eq!(leaks_of_a_worker(true).await, [""; 0]);
    assert_ne!(leaks_of_a_worker(false).await, [""; 0], "of others something does");
}
