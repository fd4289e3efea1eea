//! Schedules: one in the code, one that is created at run time, and what an operator sees of them.
//!
//! `cargo run --example schedules` keeps everything in memory and is over in some four seconds.

use pgq::{Client, Context, Resources, Worker};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What handlers may touch.
#[derive(pgq::Provide)]
struct App {
    /// Tells `main` that a job has run.
    ran: UnboundedSender<()>,
}

impl Resources for App {
    async fn init(_: &pgq::Env) -> pgq::Result<Self> {
        Err(pgq::Error::init("this program hands its resources over ready-made"))
    }
}

/// Made each second by whichever worker comes first. A tick that comes while an earlier job still runs is passed over.
#[pgq::schedule(every = "1s")]
async fn poll_inbox(ctx: Context<App>) -> Result<(), pgq::BoxError> {
    if let Some(tick) = ctx.tick() {
        let since = tick.previous.map_or_else(|| "the beginning".to_owned(), |previous| previous.to_string());
        println!("poll_inbox   what came from {since} to {}", tick.at);
    }
    Ok(ctx.ran.send(())?)
}

/// A task like any other, which somebody may put on a schedule with arguments.
#[pgq::task]
async fn report(ctx: Context<App>, region: String) -> Result<(), pgq::BoxError> {
    println!("report       on {region}");
    Ok(ctx.ran.send(())?)
}

#[tokio::main]
async fn main() -> pgq::Result<()> {
    let client = Client::memory(); // or Client::connect("postgres://…").await?
    let (ran, runs) = unbounded_channel();
    let worker = Worker::builder().client(client.clone()).resources(App { ran }).spawn().await?;

    // As a user of the program would, who chose the times in a form.
    let nightly = client.schedule("report-eu", "30 2 * * *", report::job("eu".to_owned()));
    nightly.zone("Europe/Berlin").create().await?;
    client.trigger_schedule("report-eu").await?; // not to wait for the night
    for schedule in client.schedules().await? {
        for tick in schedule.next(1) {
            println!("{:<11}  {}, next at {tick}", schedule.name, schedule.cadence);
        }
    }

    wait_for(4, runs).await;
    client.pause_schedule("poll_inbox", "nobody reads on").await?;
    println!("poll_inbox   is paused");
    worker.stop().await
}

async fn wait_for(jobs: usize, mut runs: UnboundedReceiver<()>) {
    for _ in 0..jobs {
        runs.recv().await;
    }
}
