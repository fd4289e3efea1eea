//! What a claim on PostgreSQL passes by, and what bounds it.

use std::sync::Arc;
use std::time::Duration;

use pgq::JobId;
use pgq::backend::{Batch, Claim, NewJob, Session, Transition};

use crate::world::{SPAN, World, end, ids, job, want, with_priority};

/// A claim like those of a busy worker, which begins behind what it has passed.
async fn claim(session: &Arc<dyn Session>, limit: u32) -> Batch {
    let claim = Claim {
        wants: vec![want("default", "a", 100)].into(),
        groups: Vec::new(),
        limit,
        thorough: false,
        suspect: true,
    };
    session.claim(claim).await.unwrap()
}

async fn put(world: &World, jobs: usize) -> Vec<JobId> {
    world.put((0..jobs).map(|_| job("a")).collect()).await.unwrap()
}

#[tokio::test]
async fn a_claim_wins_no_more_payload_than_it_can_carry() {
    let world = World::postgres().await;
    let large = || NewJob { payload: vec![7; 1 << 20], ..job("a") };
    world.put((0..6).map(|_| large()).collect()).await.unwrap();
    let session = world.session(&["a"]).await.unwrap();
    let first = claim(&session, 6).await;
    assert_eq!((first.jobs.len(), first.again), (4, true));
    let second = claim(&session, 6).await;
    assert_eq!((second.jobs.len(), second.again), (2, false));
}

#[tokio::test]
async fn one_job_is_won_however_large_it_is() {
    let world = World::postgres().await;
    world.put_one(NewJob { payload: vec![7; 5 << 20], ..job("a") }).await.unwrap();
    let session = world.session(&["a"]).await.unwrap();
    assert_eq!(claim(&session, 6).await.jobs.len(), 1);
}

#[tokio::test]
async fn what_was_passed_is_found_when_there_is_nothing_else() {
    let world = World::postgres().await;
    let put = put(&world, 2).await;
    let session = world.session(&["a"]).await.unwrap();
    claim(&session, 1).await;
    assert_eq!(ids(&claim(&session, 1).await.jobs), put[1..]);
    session.release_all_but(vec![(put[1], 1)]).await.unwrap();
    assert_eq!(ids(&claim(&session, 1).await.jobs), put[..1]);
}

#[tokio::test]
async fn what_was_passed_is_found_within_a_second_beside_other_work() {
    let world = World::postgres().await;
    let put = put(&world, 4).await;
    let session = world.session(&["a"]).await.unwrap();
    assert_eq!(ids(&claim(&session, 1).await.jobs), put[..1]);
    session.release_all_but(Vec::new()).await.unwrap();
    assert_eq!(ids(&claim(&session, 1).await.jobs), put[1..2], "it is passed by");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(ids(&claim(&session, 1).await.jobs), put[..1]);
    assert_eq!(ids(&claim(&session, 2).await.jobs), put[2..]);
}

#[tokio::test]
async fn what_the_worker_itself_hands_back_is_found_at_once() {
    let world = World::postgres().await;
    let put = put(&world, 3).await;
    let session = world.session(&["a"]).await.unwrap();
    let first = claim(&session, 2).await.jobs;
    end(&session, &first[0], Transition::Release).await.unwrap();
    assert_eq!(ids(&claim(&session, 1).await.jobs), put[..1]);
}

#[tokio::test]
async fn what_the_worker_rescues_is_found_at_once() {
    let world = World::postgres().await;
    let put = put(&world, 4).await;
    let (lost, session) = (world.session(&["a"]).await.unwrap(), world.session(&["a"]).await.unwrap());
    claim(&lost, 1).await;
    world.clock.advance(SPAN * 2);
    session.attend().await.unwrap().renew().await.unwrap();
    assert_eq!(ids(&claim(&session, 1).await.jobs), put[1..2]);
    assert_eq!(session.rescue(9).await.unwrap().freed, 1);
    assert_eq!(ids(&claim(&session, 1).await.jobs), put[..1], "and what comes next is waiting");
}

#[tokio::test]
async fn a_higher_priority_is_seen_at_once() {
    let world = World::postgres().await;
    put(&world, 3).await;
    let session = world.session(&["a"]).await.unwrap();
    claim(&session, 1).await;
    let high = world.put_one(with_priority("a", 9)).await.unwrap();
    assert_eq!(ids(&claim(&session, 1).await.jobs), [high]);
}

#[tokio::test]
async fn a_claim_that_arrives_after_its_doubts_were_settled_wins_nothing() {
    let world = World::postgres().await;
    put(&world, 1).await;
    let session = world.session(&["a"]).await.unwrap();
    let late = "update pgq.worker set doubts = doubts + 1";
    pgq::sqlx::query(late).execute(world.client.pool().unwrap()).await.unwrap();
    assert_eq!(claim(&session, 9).await.jobs, [], "it is one of before");
    session.release_all_but(Vec::new()).await.unwrap();
    assert_eq!(claim(&session, 9).await.jobs.len(), 1);
}
