//! A limit that comes, or is lowered, while a claim is on its way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pgq::backend::PoolView;
use pgq::{Allow, Client, Context, LimitRef, Result, Worker};
use tokio::sync::{Semaphore, mpsc};

use super::faults::{Fault, plan, wayward};

/// A pen with a door to leave by, which tells of each who comes in how many are in it then.
#[derive(Clone, pgq::Provide)]
pub(crate) struct Pen {
    door: Arc<Semaphore>,
    inside: Arc<AtomicUsize>,
    told: mpsc::UnboundedSender<usize>,
}

impl pgq::Resources for Pen {
    async fn init(_: &pgq::Env) -> Result<Self> {
        Err(pgq::Error::init("these tests hand theirs over"))
    }
}

impl Pen {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<usize>) {
        let (told, entries) = mpsc::unbounded_channel();
        (Self { door: Arc::new(Semaphore::new(0)), inside: Arc::default(), told }, entries)
    }
}

#[pgq::task]
pub(crate) async fn flock(ctx: Context<Pen>, _number: u32) -> std::result::Result<(), pgq::BoxError> {
    ctx.told.send(ctx.inside.fetch_add(1, Ordering::SeqCst) + 1)?;
    ctx.door.acquire().await?.forget();
    ctx.inside.fetch_sub(1, Ordering::SeqCst);
    Ok(())
}

pub(crate) async fn herding(client: &Client, pen: &Pen) -> Result<Worker<Pen>> {
    let builder = Worker::builder().client(client.clone()).tasks(pgq::tasks![flock]);
    builder.resources(pen.clone()).spawn().await
}

/// Lets so many through, of which no more than this many may be inside at once.
pub(crate) async fn no_more_than(most: usize, count: usize, pen: &Pen, entries: &mut mpsc::UnboundedReceiver<usize>) {
    for _ in 0..count {
        let inside = entries.recv().await.expect("another one comes in");
        assert!(inside <= most, "{inside} are inside");
        pen.door.add_permits(1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_claim_wins_is_handed_back_where_a_limit_came_meanwhile() -> Result<()> {
    let (client, faults) = wayward()?;
    let (pen, mut entries) = Pen::new();
    flock::enqueue_many(&client, 0..40).await?;
    plan(&faults.claim, &[Fault::Held]);
    let worker = herding(&client, &pen).await?;
    faults.held.notified().await;
    client.set_limit(LimitRef::of::<flock>(), Allow::at_once(2)).await?;
    faults.shared.subscribe().wait_for(|times| *times > 0).await.expect("it says what it has");
    faults.heard.notify_one();
    no_more_than(2, 40, &pen, &mut entries).await;
    assert_eq!(
        client.jobs().list().await?.jobs.iter().map(|job| job.attempt).max(),
        Some(1),
        "what is handed back costs none"
    );
    worker.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_claim_wins_is_handed_back_where_a_bound_was_lowered_meanwhile() -> Result<()> {
    let (client, faults) = wayward()?;
    let (pen, mut entries) = Pen::new();
    plan(&faults.claim, &[Fault::Held]);
    let worker = herding(&client, &pen).await?;
    let mut seen = faults.seen.subscribe();
    let mut set = async |most| {
        client.set_limit(LimitRef::of::<flock>(), Allow::at_once(most)).await.unwrap();
        let is_there = |views: &Vec<PoolView>| views.iter().any(|view| view.portion.cap == Some(most));
        seen.wait_for(is_there).await.expect("it looks");
    };
    set(4).await;
    flock::enqueue_many(&client, 0..40).await?;
    faults.is_held().await;
    set(2).await;
    // Whoever looks once more knows what he saw before.
    set(1).await;
    faults.heard.notify_one();
    no_more_than(1, 40, &pen, &mut entries).await;
    worker.stop().await
}
