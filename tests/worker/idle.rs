//! What a worker asks for that has nothing to do, and when it finds what nobody told it of, by a clock that only the test moves.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pgq::{Client, Edit, JobId, Result, State, Timestamp, Worker};

use super::faults::{Fault, Faults, greet, plan, wayward_over};
use crate::world::{World, claim};

/// So long that beats come no more often for it than anybody has to look.
const LEASE: Duration = Duration::from_mins(1);
/// The time between two beats.
const BEAT: Duration = Duration::from_millis(1_150);

/// A worker that hears nothing, and rests.
struct Scene {
    world: World,
    faults: Arc<Faults>,
    worker: Worker<()>,
}

impl Scene {
    async fn of(world: World) -> Result<Self> {
        let faults = Arc::new(Faults::default());
        faults.deaf.store(true, Ordering::SeqCst);
        let client = wayward_over(&world.client, &world.clock, &faults)?;
        let builder = Worker::builder().client(client).tasks(pgq::tasks![greet]);
        let worker = builder.lease(LEASE).spawn().await?;
        let scene = Self { world, faults, worker };
        // Each service has looked for itself once more after the first beat that told it something.
        scene.beats(4).await;
        Ok(scene)
    }

    /// Lets it beat so often.
    async fn beats(&self, times: usize) {
        let mut renewed = self.faults.renewed.subscribe();
        for _ in 0..times {
            let before = *renewed.borrow_and_update();
            let mut beats = 0;
            while beats == 0 {
                self.world.clock.advance(BEAT);
                let beat = tokio::time::timeout(Duration::from_millis(500), renewed.wait_for(|now| *now > before));
                beats = beat.await.map_or(0, |_| 1);
            }
            // What it saw is seen to meanwhile.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether a job completes while less time passes than between two beats.
    async fn completes(&self, id: JobId) -> Result<bool> {
        for _ in 0..100 {
            if self.world.state(id).await? == State::Completed {
                return Ok(true);
            }
            self.world.clock.advance(Duration::from_millis(5));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(false)
    }

    fn client(&self) -> &Client {
        &self.world.client
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
    an_idle_worker_asks_for_little_more_than_its_beats
    a_job_that_nobody_told_of_starts_with_the_next_beat
    a_job_is_found_while_a_beat_gets_no_answer
    a_look_that_the_server_ends_costs_no_sign_of_life
    a_job_that_became_due_sooner_is_promoted_in_time
    a_schedule_that_nobody_told_of_ticks_in_time
    jobs_of_a_silent_worker_are_freed_when_its_lease_is_over
}

async fn an_idle_worker_asks_for_little_more_than_its_beats(scene: Scene) -> Result<()> {
    let asked = scene.faults.asked.load(Ordering::SeqCst);
    // Two minutes, in which each service also looks by itself, and what a fleet does once a minute is this one's.
    scene.beats(104).await;
    let asked = scene.faults.asked.load(Ordering::SeqCst) - asked;
    assert!(asked <= 21, "{asked} besides 104 beats");
    scene.worker.stop().await
}

async fn a_job_that_nobody_told_of_starts_with_the_next_beat(scene: Scene) -> Result<()> {
    let id = greet::enqueue(scene.client(), ()).await?.id();
    scene.beats(1).await;
    assert!(scene.completes(id).await?);
    scene.worker.stop().await
}

async fn a_job_is_found_while_a_beat_gets_no_answer(scene: Scene) -> Result<()> {
    plan(&scene.faults.renew, &[Fault::Silence]);
    while !scene.faults.renew.is_empty() {
        scene.world.clock.advance(BEAT);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let id = greet::enqueue(scene.client(), ()).await?.id();
    let completed = async {
        while !scene.completes(id).await? {}
        Ok::<_, pgq::Error>(())
    };
    // Less than a third of a lease, when a beat without an answer is given up.
    tokio::time::timeout(Duration::from_secs(15), completed).await.expect("it is found")?;
    scene.worker.stopper().insist();
    Ok(())
}

async fn a_look_that_the_server_ends_costs_no_sign_of_life(scene: Scene) -> Result<()> {
    plan(&scene.faults.renew, &[Fault::Busy]);
    let id = greet::enqueue(scene.client(), ()).await?.id();
    scene.beats(1).await;
    assert!(scene.faults.renew.is_empty());
    assert_eq!(scene.faults.attended.load(Ordering::SeqCst), 1, "on the same connection");
    assert!(scene.completes(id).await?, "each looks by itself");
    scene.worker.stop().await
}

async fn a_job_that_became_due_sooner_is_promoted_in_time(scene: Scene) -> Result<()> {
    let id = greet::job(()).delay(Duration::from_hours(1)).enqueue(scene.client()).await?.id();
    scene.beats(2).await;
    let sooner: Timestamp = scene.world.clock.now().saturating_add(BEAT * 3);
    scene.client().edit(id, Edit::new().at(sooner)).await?;
    scene.beats(2).await;
    assert_ne!(scene.world.state(id).await?, State::Completed, "it isn't due yet");
    scene.beats(2).await;
    assert!(scene.completes(id).await?);
    scene.worker.stop().await
}

async fn a_schedule_that_nobody_told_of_ticks_in_time(scene: Scene) -> Result<()> {
    scene.client().schedule("greeting", "every 3s", greet::job(())).create().await?;
    scene.beats(4).await;
    let mut jobs = Vec::new();
    for _ in 0..100 {
        jobs = scene.client().jobs().task("greet").list().await?.jobs;
        if jobs.iter().any(|job| job.state == State::Completed) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(jobs.iter().any(|job| job.state == State::Completed), "{jobs:?}");
    scene.worker.stop().await
}

async fn jobs_of_a_silent_worker_are_freed_when_its_lease_is_over(scene: Scene) -> Result<()> {
    let silent = scene.world.session(&["greet"]).await?;
    let id = greet::enqueue(scene.client(), ()).await?.id();
    assert_eq!(claim(&silent, &["greet"], 1).await?.len(), 1);
    scene.beats(25).await;
    assert_eq!(scene.world.state(id).await?, State::Running, "its lease is of half a minute");
    scene.beats(3).await;
    assert!(scene.completes(id).await?);
    scene.worker.stop().await
}
