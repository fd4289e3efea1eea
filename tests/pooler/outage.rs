//! A pooler that dies and comes back.

use std::time::Duration;

use pgq::{Client, Context, Worker};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

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
