//! Jobs that come one by one to workers that rest, by a clock that only the test moves.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pgq::{BoxError, Client, JobId, Result, State, Tasks, Worker};

use super::faults::{Fault, Faults, plan, wayward_over};
use crate::world::World;

const LEASE: Duration = Duration::from_mins(1);
/// After so much time a worker has looked for what was in flight when it fell asleep, and what comes then is alone.
const MOMENT: Duration = Duration::from_millis(200);

#[pgq::task]
async fn stand_alone() -> std::result::Result<(), BoxError> {
    Ok(())
}

#[pgq::task(limit(concurrency = 2, key = "whose"))]
async fn stand_in_line(whose: String, place: u32) -> std::result::Result<(), BoxError> {
    let _ = (whose, place);
    Ok(())
}

#[pgq::task(concurrency = 2)]
async fn stand_in_pairs() -> std::result::Result<(), BoxError> {
    Ok(())
}

fn place() -> StandInLineArgs {
    StandInLineArgs { whose: "mine".to_owned(), place: 1 }
}

fn tasks() -> Tasks<()> {
    pgq::tasks![stand_alone, stand_in_line, stand_in_pairs]
}

/// A worker that sleeps.
struct Scene {
    world: World,
    faults: Arc<Faults>,
    client: Client,
    worker: Worker<()>,
}

impl Scene {
    async fn of(world: World) -> Result<Self> {
        let faults = Arc::new(Faults::default());
        let client = wayward_over(&world.client, &world.clock, &faults)?;
        let worker = Worker::builder().client(client.clone()).tasks(tasks()).lease(LEASE).slots(5).spawn().await?;
        faults.asleep.subscribe().wait_for(|asleep| *asleep).await.expect("it falls asleep");
        let scene = Self { world, faults, client, worker };
        // Before it rests it claims once more, and once it was asleep for a while.
        scene.rests().await;
        scene.rests().await;
        Ok(scene)
    }

    /// Lets some time pass; how many claims there have been once there are no more.
    async fn rests(&self) -> usize {
        self.world.clock.advance(MOMENT);
        let mut claimed = self.claimed();
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if claimed == self.claimed() {
                return claimed;
            }
            claimed = self.claimed();
        }
    }

    fn claimed(&self) -> usize {
        self.faults.claimed.load(Ordering::SeqCst)
    }

    fn client(&self) -> &Client {
        &self.client
    }

    /// Waits for its end, while less time passes than between two beats.
    async fn completes(&self, id: JobId) -> Result<()> {
        for _ in 0..100 {
            if self.world.state(id).await? == State::Completed {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.world.clock.advance(Duration::from_millis(5));
        }
        panic!("it isn't found before the next beat");
    }
}

/// Makes a test of every fact for both backends.
macro_rules! facts {
    ($($fact:ident)*) => {
        mod memory {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $fact() -> pgq::Result<()> {
                    super::$fact(super::Scene::of(crate::world::World::memory()).await?).await
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $fact() -> pgq::Result<()> {
                    super::$fact(super::Scene::of(crate::world::World::postgres().await).await?).await
                }
            )*
        }
    };
}

facts! {
    a_lone_job_takes_one_claim
    a_lone_job_that_comes_due_takes_one_claim_of_a_fleet
    what_comes_while_a_lone_job_is_claimed_is_found
    what_comes_beside_a_lone_job_is_found
}

/// Behind a limit with a key too.
async fn a_lone_job_takes_one_claim(scene: Scene) -> Result<()> {
    let mut claims = 0;
    for keyed in [false, true, false, true] {
        let before = scene.rests().await;
        let id = if keyed {
            stand_in_line::enqueue(scene.client(), place()).await?.id()
        } else {
            stand_alone::enqueue(scene.client(), ()).await?.id()
        };
        scene.completes(id).await?;
        claims += scene.rests().await - before;
    }
    assert!(claims <= 5, "{claims}: a beat may see one before it is claimed");
    scene.worker.stop().await
}

async fn a_lone_job_that_comes_due_takes_one_claim_of_a_fleet(scene: Scene) -> Result<()> {
    let other = Worker::builder().client(scene.client.clone()).tasks(tasks()).lease(LEASE).spawn().await?;
    let mut claims = 0;
    for _ in 0..3 {
        scene.rests().await;
        let id = stand_alone::job(()).delay(Duration::from_millis(300)).enqueue(scene.client()).await?.id();
        let before = scene.rests().await;
        scene.completes(id).await?;
        claims += scene.claimed() - before;
    }
    assert!(claims <= 4, "{claims}");
    other.stop().await?;
    scene.worker.stop().await
}

/// The claim has been made, and its worker hasn't heard of that, when another job comes.
async fn what_comes_while_a_lone_job_is_claimed_is_found(scene: Scene) -> Result<()> {
    for _ in 0..3 {
        plan(&scene.faults.claim, &[Fault::Held]);
        let first = stand_alone::enqueue(scene.client(), ()).await?.id();
        scene.faults.is_held().await;
        let second = stand_alone::enqueue(scene.client(), ()).await?.id();
        scene.faults.heard.notify_one();
        scene.completes(first).await?;
        scene.completes(second).await?;
        scene.rests().await;
    }
    scene.worker.stop().await
}

/// Of other tasks and priorities, more than the worker may run at once.
async fn what_comes_beside_a_lone_job_is_found(scene: Scene) -> Result<()> {
    for others in [0, 1, 7] {
        let mut jobs = Vec::new();
        let tx = scene.client().begin().await?;
        jobs.push(stand_alone::job(()).priority(7).enqueue(&tx).await?.id());
        for _ in 0..others {
            jobs.push(stand_alone::enqueue(&tx, ()).await?.id());
            jobs.push(stand_in_pairs::job(()).priority(9).enqueue(&tx).await?.id());
            jobs.push(stand_in_line::enqueue(&tx, place()).await?.id());
        }
        tx.commit().await?;
        for id in jobs {
            scene.completes(id).await?;
        }
        scene.rests().await;
    }
    scene.worker.stop().await
}
