//! Jobs from enqueue to done, in half a minute of reading.
//!
//! `cargo run --example quickstart` keeps them in memory; with `DATABASE_URL` set, the same program keeps them in
//! PostgreSQL.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use pgq::{Client, Context, Resources, Worker};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What handlers may touch.
#[derive(pgq::Provide)]
struct App {
    mailer: Mailer,
    diary: Diary,
}

/// Stands for a client of a mail service, which refuses the first receipt.
struct Mailer {
    receipts: AtomicU32,
}

impl Mailer {
    fn send_receipt(&self) -> Result<(), &'static str> {
        match self.receipts.fetch_add(1, Ordering::SeqCst) {
            0 => Err("the mail server is busy"),
            _ => Ok(()),
        }
    }
}

/// Tells the reader what happens, and `main` when it is over.
struct Diary {
    start: Instant,
    lines: UnboundedSender<()>,
}

impl Diary {
    fn note(&self, line: &str) {
        println!("{:>6.2} s  {line}", self.start.elapsed().as_secs_f64());
        // Once `main` has read enough, nobody listens any more.
        let _ = self.lines.send(());
    }
}

impl Resources for App {
    async fn init(_: &pgq::Env) -> pgq::Result<Self> {
        Err(pgq::Error::init("this program hands its resources over ready-made"))
    }
}

/// Greets a new user.
#[pgq::task]
async fn welcome(ctx: Context<App>, user: u64, name: String) -> Result<(), pgq::BoxError> {
    ctx.diary.note(&format!("welcome        hello {name} (user {user}), from job {}", ctx.job_id()));
    Ok(())
}

/// Asks again after a while.
#[pgq::task]
async fn remind(ctx: Context<App>, name: String) -> Result<(), pgq::BoxError> {
    ctx.diary.note(&format!("remind         {name}, your trial ends soon"));
    Ok(())
}

/// Sends a receipt; when that fails, tries again half a second later.
#[pgq::task(retry = fixed("500ms", attempts = 3))]
async fn send_receipt(ctx: Context<App>, order: u64) -> Result<(), pgq::BoxError> {
    let attempt = ctx.attempt();
    ctx.mailer.send_receipt().inspect_err(|error| {
        ctx.diary.note(&format!("send_receipt   order {order}, attempt {attempt}: {error}"));
    })?;
    ctx.diary.note(&format!("send_receipt   order {order}, attempt {attempt}: sent"));
    Ok(())
}

/// So many lines do the handlers write.
const LINES: usize = 4;

#[tokio::main]
async fn main() -> pgq::Result<()> {
    let client = connect().await?;
    let (app, lines) = app();

    // Three jobs in one transaction: dropped instead of committed, they never existed.
    let tx = client.begin().await?;
    welcome::enqueue(&tx, WelcomeArgs { user: 7, name: "Kim".to_owned() }).await?;
    remind::job("Kim".to_owned()).delay(Duration::from_secs(1)).enqueue(&tx).await?;
    let receipt = send_receipt::enqueue(&tx, 4711).await?;
    tx.commit().await?;
    println!("enqueued: a welcome, a reminder in one second, and a receipt that fails at first");

    let worker = Worker::builder().client(client.clone()).resources(app).spawn().await?;
    wait_for(lines).await;
    worker.stop().await?;

    if let Some(job) = client.get(receipt.id()).await? {
        println!("job {} is {} after {} attempts", job.id, job.state, job.attempt);
        for failure in job.failures {
            println!("  attempt {} failed with {}: {}", failure.attempt, failure.kind, failure.message);
        }
    }
    Ok(())
}

/// PostgreSQL where `DATABASE_URL` names one, else memory.
async fn connect() -> pgq::Result<Client> {
    let Ok(url) = std::env::var("DATABASE_URL") else {
        println!("keeping jobs in memory (set DATABASE_URL to keep them in PostgreSQL)");
        return Ok(Client::memory());
    };
    let client = Client::connect(&url).await?;
    println!("keeping jobs in {}", client.backend().describe().await?);
    let migrated = client.migrate().await?;
    if migrated.from < migrated.to {
        println!("installed the tables of pgq, version {}", migrated.to);
    }
    Ok(client)
}

fn app() -> (App, UnboundedReceiver<()>) {
    let (lines, read) = unbounded_channel();
    let diary = Diary { start: Instant::now(), lines };
    (App { mailer: Mailer { receipts: AtomicU32::new(0) }, diary }, read)
}

async fn wait_for(mut lines: UnboundedReceiver<()>) {
    for _ in 0..LINES {
        lines.recv().await;
    }
}
