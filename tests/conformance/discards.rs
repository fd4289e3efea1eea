//! What a program is told about the jobs that it gives up.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgq::{Discarded, FailureKind, Result, State};

use crate::world::{SPAN, World, claim};

/// Resources that take note of what is discarded.
#[derive(Clone, Default, pgq::Provide)]
pub(crate) struct Office {
    told: Arc<Mutex<Vec<Discarded>>>,
}

impl Office {
    fn told(&self) -> Vec<Discarded> {
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

impl pgq::Resources for Office {
    async fn init(_: &pgq::Env) -> Result<Self> {
        Ok(Self::default())
    }

    async fn on_discard(self: Arc<Self>, job: Discarded) {
        let message = job.failure.message().to_owned();
        self.told.lock().unwrap().push(job);
        assert!(message != "unspeakable", "the hook fell over it");
    }
}

#[pgq::task(retry = fixed("1s", attempts = 2))]
async fn deliver(how: String) -> Result<(), pgq::BoxError> {
    match how.as_str() {
        "well" => Ok(()),
        "never" => Err(pgq::discard("nobody lives there"))?,
        "cancelled" => Err(pgq::cancel("no longer wanted"))?,
        other => Err(other)?,
    }
}

pub(crate) async fn who_asks_is_told_of_every_job_that_is_given_up(world: World) -> Result<()> {
    let office = Office::default();
    let mut worker = world.worker(pgq::tasks![deliver], office.clone()).await?;
    for how in ["well", "never", "cancelled"] {
        deliver::enqueue(&world.client, how.to_owned()).await?;
    }
    let late = deliver::job("well".to_owned()).expires_in(Duration::from_secs(1));
    assert_eq!(worker.drain().await?, 3);
    let [never]: [Discarded; 1] = office.told().try_into().unwrap();
    assert_eq!((never.task.as_str(), never.attempt, never.failure.message()), ("deliver", 1, "nobody lives there"));
    assert_eq!(world.state(never.id).await?, State::Discarded, "told is what was written");

    let late = late.enqueue(&world.client).await?.id();
    let broken = deliver::enqueue(&world.client, "the van broke down".to_owned()).await?.id();
    world.clock.advance(Duration::from_secs(2));
    worker.drain().await?;
    assert_eq!(office.told().iter().map(|job| job.id).collect::<Vec<_>>(), [late], "the other has an attempt left");
    world.clock.advance(Duration::from_secs(1));
    worker.drain().await?;
    let [broken_twice]: [Discarded; 1] = office.told().try_into().unwrap();
    assert_eq!((broken_twice.id, broken_twice.attempt), (broken, 2));
    Ok(())
}

pub(crate) async fn what_nobody_begins_in_time_is_discarded_though_nobody_claims_it(world: World) -> Result<()> {
    let office = Office::default();
    let mut worker = world.worker(pgq::tasks![deliver], office.clone()).await?;
    let minute = Duration::from_mins(1);
    let job = || deliver::job("well".to_owned()).queue("unserved").unique("one").expires_in(minute);
    let late = job().enqueue(&world.client).await?.id();
    let later = deliver::job("well".to_owned()).delay(minute).expires_in(minute).enqueue(&world.client).await?.id();
    worker.prune().await?;
    assert_eq!(world.state(late).await?, State::Available);
    world.clock.advance(minute);
    worker.prune().await?;
    let expired = world.job(late).await?;
    assert_eq!((expired.state, expired.failures[0].kind), (State::Discarded, FailureKind::Expired));
    assert_eq!(office.told().iter().map(|job| job.id).collect::<Vec<_>>(), [late]);
    assert!(job().enqueue(&world.client).await?.is_new(), "its unique key is free");
    assert_eq!(worker.drain().await?, 1);
    assert_eq!(world.state(later).await?, State::Completed);
    world.clock.advance(Duration::from_hours(24 * 8));
    worker.prune().await?;
    assert!(world.client.get(late).await?.is_none(), "it was kept for a week");
    Ok(())
}

pub(crate) async fn a_hook_that_panics_harms_nobody(world: World) -> Result<()> {
    let office = Office::default();
    let mut worker = world.worker(pgq::tasks![deliver], office.clone()).await?;
    let job = |how: &str| deliver::job(how.to_owned()).max_attempts(1);
    for how in ["unspeakable", "lost"] {
        job(how).enqueue(&world.client).await?;
    }
    assert_eq!(worker.drain().await?, 2);
    assert_eq!(office.told().len(), 2);
    Ok(())
}

pub(crate) async fn who_rescues_is_told_of_what_died_with_its_workers(world: World) -> Result<()> {
    let session = world.session(&["deliver"]).await?;
    let id = deliver::job("well".to_owned()).max_attempts(1).enqueue(&world.client).await?.id();
    assert_eq!(claim(&session, &["deliver"], 1).await?.len(), 1);
    let office = Office::default();
    let mut worker = world.worker(pgq::tasks![deliver], office.clone()).await?;
    world.clock.advance(SPAN + Duration::from_secs(1));
    worker.beat().await?;
    worker.rescue().await?;
    let [crashed]: [Discarded; 1] = office.told().try_into().unwrap();
    assert_eq!((crashed.id, crashed.task.as_str(), crashed.failure.kind()), (id, "deliver", FailureKind::Crashed));
    Ok(())
}

pub(crate) async fn nobody_is_told_of_an_end_that_came_too_late(world: World) -> Result<()> {
    let office = Office::default();
    let mut worker = world.worker(pgq::tasks![deliver], office.clone()).await?;
    let id = deliver::enqueue(&world.client, "never".to_owned()).await?.id();
    worker.start().await?;
    let heir = world.session(&["deliver"]).await?;
    world.clock.advance(SPAN + Duration::from_secs(1));
    heir.attend().await?.renew().await?;
    assert_eq!(heir.rescue(10).await?.freed, 1);
    worker.settle().await?;
    assert_eq!((world.state(id).await?, office.told().len()), (State::Available, 0));
    Ok(())
}
