//! What is done to many jobs at once and the database refuses for one of them, here by triggers of the user's: it holds up none of
//! the others.

use std::time::Duration;

use pgq::backend::{NewJob, Session, Transition};
use pgq::sqlx::{self, PgPool, raw_sql};
use pgq::{Cancellation, JobId, State};

use crate::log::Log;
use crate::world::{SECOND, World, after, claim, end, job, start};

const REFUSE: &str = "
    create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not here'; end $$;
    create trigger refuse_change before update of lane on pgq.job for each row
        when (new.headers ? 'accursed') execute function refuse();
    create trigger refuse_discard before insert on pgq.history for each row
        when (new.headers ? 'accursed') execute function refuse()";

const FORGIVE: &str = "drop function refuse cascade";

/// How many rows a step takes at most.
const STEP: u32 = 1_000;
/// For how long a culprit is left alone.
const ASIDE: Duration = Duration::from_mins(1);

async fn scene(jobs: impl IntoIterator<Item = NewJob>) -> (World, Vec<JobId>, PgPool) {
    let world = World::postgres().await;
    let pool = world.client.pool().unwrap().clone();
    let ids = world.put(jobs.into_iter().collect()).await.unwrap();
    let accursed = "update pgq.job set headers = '{\"accursed\": \"\"}' where id = $1";
    sqlx::query(accursed).bind(ids[1].0).execute(&pool).await.unwrap();
    raw_sql(REFUSE).execute(&pool).await.unwrap();
    (world, ids, pool)
}

async fn expired(session: &dyn Session) -> Vec<JobId> {
    let mut ids: Vec<JobId> = session.expire(STEP).await.unwrap().iter().map(|job| job.id).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn a_job_that_can_not_be_promoted_holds_up_none_that_is_due() {
    let (world, ids, pool) = scene((0..4).map(|_| after("a", SECOND))).await;
    let session = world.session(&["a"]).await.unwrap();
    world.clock.advance(SECOND * 2);
    assert_eq!(session.promote(STEP).await.unwrap().moved, 3);
    let won = claim(&session, &["a"], 9).await.unwrap();
    assert_eq!(won.iter().map(|job| job.id).collect::<Vec<_>>(), [ids[0], ids[2], ids[3]]);
    raw_sql(FORGIVE).execute(&pool).await.unwrap();
    assert_eq!(session.promote(STEP).await.unwrap().moved, 0, "it is left alone for a while");
    world.clock.advance(ASIDE);
    assert_eq!(session.promote(STEP).await.unwrap().moved, 1);
}

#[tokio::test]
async fn a_job_that_can_not_be_discarded_holds_up_none_that_is_too_late() {
    let late = || NewJob { expires_in: Some(SECOND), ..job("a") };
    let (world, ids, pool) = scene((0..4).map(|_| late())).await;
    let session = world.session(&["a"]).await.unwrap();
    world.clock.advance(SECOND * 2);
    assert_eq!(expired(&*session).await, [ids[0], ids[2], ids[3]]);
    raw_sql(FORGIVE).execute(&pool).await.unwrap();
    assert!(expired(&*session).await.is_empty(), "it is left alone for a while");
    world.clock.advance(ASIDE);
    assert_eq!(expired(&*session).await, [ids[1]]);
}

#[tokio::test]
async fn a_job_that_can_not_be_deleted_holds_up_none_that_was_kept_for_long_enough() {
    let (world, ids, pool) = scene((0..4).map(|_| job("a"))).await;
    raw_sql(FORGIVE).execute(&pool).await.unwrap();
    let session = world.session(&["a"]).await.unwrap();
    for job in claim(&session, &["a"], 9).await.unwrap() {
        end(&session, &job, Transition::Complete).await.unwrap();
    }
    let keep =
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not here'; end $$;
                create trigger refuse before delete on pgq.history_default for each row
                    when (old.headers ? 'accursed') execute function refuse()";
    raw_sql(keep).execute(&pool).await.unwrap();
    world.clock.advance(Duration::from_hours(2));
    assert_eq!(session.prune(STEP).await.unwrap().rows, 3);
    assert!(world.client.get(ids[1]).await.unwrap().is_some());
    raw_sql(FORGIVE).execute(&pool).await.unwrap();
    world.clock.advance(ASIDE);
    assert_eq!(session.prune(STEP).await.unwrap().rows, 1);
}

#[tokio::test]
async fn a_wish_to_cancel_is_kept_until_it_is_done_and_holds_up_no_other() {
    let (world, ids, pool) = scene((0..3).map(|_| job("a"))).await;
    let (dead, other) = (world.session(&["a"]).await.unwrap(), world.session(&["a"]).await.unwrap());
    assert_eq!(claim(&dead, &["a"], 9).await.unwrap().len(), 3);
    for id in &ids {
        assert_eq!(world.client.cancel(*id, "enough").await.unwrap(), Cancellation::Asked);
    }
    let rescue = async || {
        world.clock.advance(ASIDE);
        other.attend().await.unwrap().renew().await.unwrap();
        other.rescue(STEP).await.unwrap();
    };
    let freed = "drop trigger refuse_change on pgq.job";
    raw_sql(freed).execute(&pool).await.unwrap();
    rescue().await;
    let [first, accursed, last] = [ids[0], ids[1], ids[2]];
    for id in [first, last] {
        assert_eq!(world.state(id).await.unwrap(), State::Cancelled);
    }
    assert_eq!(world.state(accursed).await.unwrap(), State::Available);
    raw_sql(FORGIVE).execute(&pool).await.unwrap();
    rescue().await;
    assert_eq!(world.state(accursed).await.unwrap(), State::Cancelled);
    let wishes = sqlx::query_scalar::<_, i64>("select count(*) from pgq.signal").fetch_one(&pool).await.unwrap();
    assert_eq!(wishes, 0, "they are done");
}

#[pgq::task(limit(concurrency = 1, key = "seat"))]
async fn perch(seat: u32, number: u32) -> Result<(), pgq::BoxError> {
    let _ = (seat, number);
    Ok(())
}

#[tokio::test]
async fn a_job_that_can_not_be_let_go_holds_up_none_at_other_gates() {
    let world = World::postgres().await;
    let pool = world.client.pool().unwrap();
    let mut worker = world.worker(pgq::tasks![perch], ()).await.unwrap();
    let seats = (0..6).map(|number| PerchArgs { seat: number % 3, number });
    let jobs = perch::enqueue_many(&world.client, seats).await.unwrap();
    let accursed = "update pgq.job set headers = '{\"accursed\": \"\"}' where id = $1";
    sqlx::query(accursed).bind(jobs[4].id().0).execute(pool).await.unwrap();
    assert_eq!(start(&mut worker).await.unwrap(), 3);
    let parked = "select count(*) from pgq.job where lane = 2";
    assert_eq!(sqlx::query_scalar::<_, i64>(parked).fetch_one(pool).await.unwrap(), 3);
    raw_sql(REFUSE).execute(pool).await.unwrap();
    let log = Log::default();
    let _listening = log.listen();
    worker.settle().await.unwrap();
    assert_eq!(worker.drain().await.unwrap(), 2);
    for (place, job) in jobs.iter().enumerate() {
        let expected = if place == 4 { State::Available } else { State::Completed };
        assert_eq!(world.state(job.id()).await.unwrap(), expected);
    }
    let told = log.about("who waits at this gate");
    assert!(told.len() == 1 && told[0].contains("not here") && told[0].contains("=1\""), "{told:?}");
    assert_eq!(log.about("can't be written"), [""; 0], "the ends stand");
    raw_sql(FORGIVE).execute(pool).await.unwrap();
    world.clock.advance(ASIDE * 2);
    assert_eq!(worker.drain().await.unwrap(), 1);
}

#[tokio::test]
async fn a_culprit_is_named_once() {
    let (world, ids, _pool) = scene((0..2).map(|_| after("a", SECOND))).await;
    let session = world.session(&["a"]).await.unwrap();
    let log = Log::default();
    let _listening = log.listen();
    for _ in 0..5 {
        world.clock.advance(ASIDE);
        session.promote(STEP).await.unwrap();
    }
    let named = log.about("can't be made available");
    assert!(named.len() == 1 && named[0].contains(&format!("job={}", ids[1])), "{named:?}");
    assert!(named[0].contains("not here"), "{named:?}");
}

#[tokio::test]
async fn where_everything_is_refused_it_is_a_failure_and_few_are_named() {
    let (world, _ids, pool) = scene((0..300).map(|_| after("a", SECOND))).await;
    sqlx::query("update pgq.job set headers = '{\"accursed\": \"\"}'").execute(&pool).await.unwrap();
    let session = world.session(&["a"]).await.unwrap();
    let log = Log::default();
    let _listening = log.listen();
    world.clock.advance(SECOND * 2);
    assert!(session.promote(STEP).await.is_err());
    assert_eq!(log.about("can't be made available").len(), 6);
}
