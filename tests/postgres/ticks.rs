//! Ticks whose jobs the database refuses, and ticks of many schedules at once.

use std::time::Duration;

use pgq::sqlx::raw_sql;
use pgq::testing::ManualClock;
use pgq::{Client, JobBuilder, Missed, Overlap, Timestamp};
use pgq_testdb::Database;

use crate::log::Log;
use crate::world::installed;

const MINUTE: Duration = Duration::from_mins(1);

#[pgq::task]
async fn report(what: String) -> Result<(), pgq::BoxError> {
    let _ = what;
    Ok(())
}

fn of(what: &str) -> JobBuilder<report> {
    report::job(what.to_owned())
}

struct Scene {
    client: Client,
    clock: ManualClock,
    _database: Database,
}

async fn scene() -> Scene {
    let database = installed().await;
    let clock = ManualClock::at(Timestamp::from_micros(1_767_225_600_000_000));
    let client = Client::builder().unwrap().clock(clock.clone()).pool(database.pool().await.unwrap());
    Scene { client, clock, _database: database }
}

async fn queued(client: &Client) -> u64 {
    client.jobs().task("report").count().await.unwrap().jobs
}

#[tokio::test]
async fn a_schedule_whose_jobs_are_refused_holds_up_no_other() {
    let Scene { client, clock, _database } = scene().await;
    let refuse = "
        create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not here'; end $$;
        create trigger refuse_job before insert on pgq.job for each row
            when (new.queue = 'forbidden') execute function refuse()";
    raw_sql(refuse).execute(client.pool().unwrap()).await.unwrap();
    for name in ["a", "b", "c", "d"] {
        let queue = if name == "b" { "forbidden" } else { "default" };
        client.schedule(name, "* * * * *", of(name).queue(queue)).create().await.unwrap();
    }
    let mut worker = pgq::testing::stepper::<()>(&client, pgq::tasks![report], ()).await.unwrap();
    clock.advance(MINUTE);
    let mut told = 0;
    // What was refused is locked for a moment yet: who looks meanwhile looks again.
    while told == 0 || queued(&client).await < 3 {
        told += usize::from(worker.tick().await.is_err_and(|error| error.is_database()));
    }
    assert_eq!(told, 1);
    worker.tick().await.unwrap();
    clock.advance(MINUTE);
    raw_sql("drop trigger refuse_job on pgq.job").execute(client.pool().unwrap()).await.unwrap();
    worker.tick().await.unwrap();
    assert_eq!(queued(&client).await, 4, "it goes on; the others' first jobs aren't finished");
}

#[tokio::test]
async fn what_was_missed_is_fired_in_parts_that_go_on_where_the_last_one_ended() {
    let Scene { client, clock, _database } = scene().await;
    let large = "x".repeat(900_000);
    let schedule = client.schedule("large", "* * * * *", of(&large)).missed(Missed::All(1_000));
    schedule.overlap(Overlap::Allow).create().await.unwrap();
    let mut worker = pgq::testing::stepper::<()>(&client, pgq::tasks![report], ()).await.unwrap();
    clock.advance(MINUTE * 30);
    worker.tick().await.unwrap();
    assert_eq!(queued(&client).await, 30);
    let sizes = "select max(count)::bigint from (select count(*) from pgq.job group by xmin) as parts";
    let most: i64 = pgq::sqlx::query_scalar(sizes).fetch_one(client.pool().unwrap()).await.unwrap();
    assert_eq!(most, 4, "no part is larger than 4 MB");
}

#[tokio::test]
async fn many_schedules_that_share_a_tick_are_fired_by_one_statement() {
    let Scene { client, clock, _database } = scene().await;
    for number in 0..100 {
        let name = format!("s{number}");
        client.schedule(&name, "* * * * *", of(&name)).create().await.unwrap();
    }
    let mut worker = pgq::testing::stepper::<()>(&client, pgq::tasks![report], ()).await.unwrap();
    clock.advance(MINUTE);
    worker.tick().await.unwrap();
    let parts = "select count(distinct xmin::text) from pgq.job";
    let parts: i64 = pgq::sqlx::query_scalar(parts).fetch_one(client.pool().unwrap()).await.unwrap();
    assert_eq!((queued(&client).await, parts), (100, 1));
    let noted =
        "select count(*) from pgq.schedule join pgq.job on job.id = schedule.job and job.payload = schedule.payload";
    let noted: i64 = pgq::sqlx::query_scalar(noted).fetch_one(client.pool().unwrap()).await.unwrap();
    assert_eq!(noted, 100);
    assert_eq!(worker.drain().await.unwrap(), 100);
}

#[pgq::schedule("* * * * *")]
async fn bell() -> Result<(), pgq::BoxError> {
    Ok(())
}

#[tokio::test]
async fn a_declaration_that_changes_nothing_locks_nothing() {
    let Scene { client, _database, .. } = scene().await;
    for _ in 0..2 {
        pgq::testing::stepper::<()>(&client, pgq::tasks![bell], ()).await.unwrap();
    }
    let locked = "select xmax::text::bigint from pgq.schedule";
    let locked: i64 = pgq::sqlx::query_scalar(locked).fetch_one(client.pool().unwrap()).await.unwrap();
    assert_eq!(locked, 0, "who fires it meanwhile would pass it by");
}

#[tokio::test]
async fn a_schedules_job_waits_at_the_first_of_its_gates() {
    let Scene { client, clock, _database } = scene().await;
    let mut worker = pgq::testing::stepper::<()>(&client, pgq::tasks![bell], ()).await.unwrap();
    let keyed = "update pgq.schedule set limit_keys = '{one,another}'";
    raw_sql(keyed).execute(client.pool().unwrap()).await.unwrap();
    clock.advance(MINUTE);
    let mut other = pgq::testing::stepper::<()>(&client, pgq::tasks![report], ()).await.unwrap();
    other.tick().await.unwrap();
    client.trigger_schedule("bell").await.unwrap();
    let gates = "select limit_key || (extra -> 'limit_keys')::text from pgq.job";
    let gates: Vec<String> = pgq::sqlx::query_scalar(gates).fetch_all(client.pool().unwrap()).await.unwrap();
    assert_eq!(gates, [r#"one["one", "another"]"#; 2]);
    worker.drain().await.unwrap();
}

#[tokio::test]
async fn what_another_version_wrote_is_told_of_once_and_left_alone() {
    let log = Log::default();
    let _listening = tracing::subscriber::set_default(log.clone());
    let Scene { client, clock, _database } = scene().await;
    for name in ["odd", "plain", "strange"] {
        client.schedule(name, "* * * * *", of(name)).create().await.unwrap();
    }
    let later = "update pgq.schedule set overlap = 'merge' where name = 'odd';
                 update pgq.schedule set cadence = '@fortnightly' where name = 'strange'";
    raw_sql(later).execute(client.pool().unwrap()).await.unwrap();
    let mut worker = pgq::testing::stepper::<()>(&client, pgq::tasks![report], ()).await.unwrap();
    for _ in 0..2 {
        clock.advance(MINUTE);
        assert_eq!(worker.drain().await.unwrap(), 1);
    }
    let told = log.about("can't be read");
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("schedule=\"odd\"") && told[1].contains("schedule=\"strange\""), "{told:?}");
}
