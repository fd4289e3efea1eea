//! Workers whose jobs wait at gates that open with time, by a clock that only the test moves.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pgq::{BoxError, Client, Result, State, Worker};

use super::faults::{Faults, wayward_over};
use crate::world::{World, claim};

const LEASE: Duration = Duration::from_mins(1);
/// So much time passes at once.
const STEP: Duration = Duration::from_millis(40);

#[pgq::task(limit(rps = 5, key = "host"))]
async fn read_feed(host: String, page: u32) -> std::result::Result<(), BoxError> {
    let _ = (host, page);
    Ok(())
}

struct Scene {
    world: World,
    faults: Arc<Faults>,
    client: Client,
}

impl Scene {
    fn of(world: World) -> Result<Self> {
        let faults = Arc::new(Faults::default());
        let client = wayward_over(&world.client, &world.clock, &faults)?;
        Ok(Self { world, faults, client })
    }

    async fn worker(&self) -> Result<Worker<()>> {
        let builder = Worker::builder().client(self.client.clone()).tasks(pgq::tasks![read_feed]);
        builder.lease(LEASE).slots(2).spawn().await
    }

    async fn put(&self, pages: u32) -> Result<()> {
        let pages = (0..pages).map(|page| ReadFeedArgs { host: "h".to_owned(), page });
        read_feed::enqueue_many(&self.client, pages).await.map(drop)
    }

    async fn pass(&self, span: Duration) {
        let end = self.world.clock.now().saturating_add(span);
        while self.world.clock.now() < end {
            self.world.clock.advance(STEP);
            // What is due by then is done meanwhile.
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    async fn completed(&self) -> Result<usize> {
        Ok(usize::try_from(self.client.jobs().state(State::Completed).count().await?.jobs).unwrap_or(usize::MAX))
    }
}

/// Makes a test of every fact for both backends.
macro_rules! facts {
    ($($fact:ident)*) => {
        mod memory {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $fact() -> pgq::Result<()> {
                    super::$fact(super::Scene::of(crate::world::World::memory())?).await
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $fact() -> pgq::Result<()> {
                    super::$fact(super::Scene::of(crate::world::World::postgres().await)?).await
                }
            )*
        }
    };
}

facts! {
    of_many_workers_one_looks_as_a_gate_opens
    a_gate_that_nobody_looks_at_as_it_opens_is_seen_by_the_next_beat
}

async fn of_many_workers_one_looks_as_a_gate_opens(scene: Scene) -> Result<()> {
    let mut fleet = Vec::new();
    for _ in 0..5 {
        fleet.push(scene.worker().await?);
    }
    scene.put(200).await?;
    // Those who are in each other's way have left it to one.
    scene.pass(Duration::from_secs(5)).await;
    let (completed, promoted) = (scene.completed().await?, scene.faults.promoted.load(Ordering::SeqCst));
    scene.pass(Duration::from_secs(8)).await;
    let started = scene.completed().await? - completed;
    let promoted = scene.faults.promoted.load(Ordering::SeqCst) - promoted;
    assert!((20..=42).contains(&started), "{started} in 8 seconds");
    assert!(promoted <= 4 * started, "{promoted} looks for {started} starts");
    for worker in fleet {
        worker.stop().await?;
    }
    Ok(())
}

async fn a_gate_that_nobody_looks_at_as_it_opens_is_seen_by_the_next_beat(scene: Scene) -> Result<()> {
    let gone = scene.world.session(&["read_feed"]).await?;
    let declares = scene.worker().await?;
    scene.pass(Duration::from_secs(3)).await;
    scene.put(2).await?;
    let won = claim(&gone, &["read_feed"], 9).await?;
    scene.pass(Duration::from_secs(2)).await;
    assert_eq!(won.len() + scene.completed().await?, 2);
    declares.stop().await.map(drop)
}
