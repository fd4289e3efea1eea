//! Rows that can't be read: somebody changed them by hand, or another version wrote them.

use pgq::{Context, JobId, JobInfo, State};

use crate::world::{World, failure};

#[pgq::task(attempts = 1)]
async fn tear(_: Context, whole: bool) -> Result<(), pgq::BoxError> {
    if whole { Ok(()) } else { Err(failure().message())? }
}

/// Three jobs, of which the second is changed by hand, as a list tells of them, the oldest first.
async fn listed(change: &'static str) -> (World, Vec<JobInfo>) {
    let world = World::postgres().await;
    let jobs = tear::enqueue_many(&world.client, [true, false, true]).await.unwrap();
    let ids: Vec<JobId> = jobs.iter().map(pgq::Handle::id).collect();
    if change.contains("failure") {
        world.worker(pgq::tasks![tear], ()).await.unwrap().drain().await.unwrap();
    }
    pgq::sqlx::query(change).bind(ids[1].0).execute(world.client.pool().unwrap()).await.unwrap();
    let mut page = world.client.jobs().list().await.unwrap();
    page.jobs.reverse();
    assert_eq!(page.jobs.iter().map(|job| job.id).collect::<Vec<_>>(), ids);
    (world, page.jobs)
}

/// What is said of the second, where nothing is of the others.
fn told(jobs: &[JobInfo]) -> &str {
    assert!(jobs[0].damage.is_none() && jobs[2].damage.is_none());
    jobs[1].damage.as_deref().expect("the damage is told")
}

#[tokio::test]
async fn a_job_whose_headers_can_not_be_read_is_told_of_with_what_is_wrong() {
    let (world, jobs) = listed("update pgq.job set headers = '{\"tenant\": 7}' where id = $1").await;
    let damage = told(&jobs);
    assert!(damage.contains("headers") && damage.contains("expected a string"), "{damage}");
    assert!(jobs[1].headers.is_empty());
    assert_eq!(jobs[1].args().unwrap(), serde_json::json!(false));
    assert_eq!(world.job(jobs[1].id).await.unwrap(), jobs[1]);
}

#[tokio::test]
async fn a_job_whose_extras_can_not_be_read_is_told_of_with_what_is_wrong() {
    let (_world, jobs) = listed("update pgq.job set extra = '{\"tick\": \"noon\"}' where id = $1").await;
    let damage = told(&jobs);
    assert!(damage.contains("extra") && damage.contains("noon"), "{damage}");
    assert_eq!(jobs[1].tick, None);
}

#[tokio::test]
async fn a_failure_whose_chain_can_not_be_read_is_told_of_without() {
    let (_world, jobs) = listed("update pgq.failure set chain = '{}' where job = $1").await;
    assert!(told(&jobs).contains("chain"));
    assert_eq!(jobs[1].state, State::Discarded);
    assert_eq!(jobs[1].failures[0].message, failure().message());
    assert!(jobs[1].failures[0].chain.is_empty());
}
