//! Ends that the database refuses, here by triggers of the user's.

use std::time::Duration;

use pgq::sqlx::{self, PgPool, raw_sql};
use pgq::testing::stepper;
use pgq::{Client, Context, JobId, State, Worker};
use pgq_testdb::Database;

use super::locks::until_waits;
use crate::world::{SPAN, World, claim, installed, job};

#[pgq::task(retry = fixed("1h"))]
async fn act(ctx: Context, how: String) -> Result<(), pgq::BoxError> {
    match how.as_str() {
        "well" => {}
        "leads on" => ctx.enqueue(act::job("well".to_owned()).tag("forbidden"))?,
        _ => Err(how)?,
    }
    Ok(())
}

const TRIGGERS: &str = "
    create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not here'; end $$;
    create trigger refuse_failure before insert on pgq.failure for each row
        when (new.message = 'poison') execute function refuse();
    create trigger refuse_job before insert on pgq.job for each row
        when (new.headers ? 'forbidden') execute function refuse()";

async fn scene() -> (Database, PgPool, Client) {
    let database = installed().await;
    let pool = database.pool().await.unwrap();
    raw_sql(TRIGGERS).execute(&pool).await.unwrap();
    (database, pool.clone(), Client::from_pool(pool).unwrap())
}

/// The states of jobs, and what the failures of the first say.
async fn outcome(client: &Client, ids: &[JobId]) -> (Vec<State>, String) {
    let (mut states, mut said) = (Vec::new(), String::new());
    for id in ids {
        let job = client.get(*id).await.unwrap().unwrap();
        states.push(job.state);
        said.extend(job.failures.iter().map(|failure| failure.message.clone()));
    }
    (states, said)
}

async fn run(client: &Client, hows: &[&str]) -> (Vec<State>, String) {
    let jobs = hows.iter().map(|how| (*how).to_owned());
    let handles = act::enqueue_many(client, jobs).await.unwrap();
    let ids: Vec<JobId> = handles.iter().map(pgq::Handle::id).collect();
    stepper::<()>(client, pgq::tasks![act], ()).await.unwrap().drain().await.unwrap();
    outcome(client, &ids).await
}

#[tokio::test]
async fn an_end_that_the_database_refuses_holds_up_none_of_its_batch_and_is_recorded() {
    let (_database, _pool, client) = scene().await;
    let (states, said) = run(&client, &["well", "well", "poison", "well", "well"]).await;
    let completed = State::Completed;
    assert_eq!(states, [completed, completed, State::Retryable, completed, completed]);
    assert!(said.contains("could not be written") && said.contains("not here"), "{said}");
}

#[tokio::test]
async fn a_job_whose_follow_ups_the_database_refuses_is_discarded_and_none_of_them_is_there() {
    let (_database, _pool, client) = scene().await;
    let (states, said) = run(&client, &["leads on", "well"]).await;
    assert_eq!(states, [State::Discarded, State::Completed]);
    assert!(said.contains("follow-ups could not be written"), "{said}");
    assert_eq!(client.jobs().count().await.unwrap().jobs, 2);
}

#[tokio::test]
async fn a_refusal_that_passes_blames_nobody() {
    // The second is that of a server which only reads, as before a standby is promoted.
    // The third is what a pooler says when its own connection has broken.
    for code in ["disk_full", "read_only_sql_transaction", "08P01"] {
        passing(code).await;
    }
}

async fn refuse_by(pool: &PgPool, code: &str) {
    let refuse = format!(
        "create or replace function refuse() returns trigger language plpgsql
         as $$ begin raise exception 'not now' using errcode = '{code}'; end $$"
    );
    raw_sql(sqlx::AssertSqlSafe(refuse)).execute(pool).await.unwrap();
}

async fn passing(code: &str) {
    let (_database, pool, client) = scene().await;
    refuse_by(&pool, code).await;
    let ids = ["poison", "well"].map(str::to_owned);
    let ids: Vec<JobId> = act::enqueue_many(&client, ids).await.unwrap().iter().map(pgq::Handle::id).collect();
    let mut worker = stepper::<()>(&client, pgq::tasks![act], ()).await.unwrap();
    assert!(worker.step().await.is_err(), "{code}");
    sqlx::query("drop trigger refuse_failure on pgq.failure").execute(&pool).await.unwrap();
    worker.step().await.unwrap();
    let expected = (vec![State::Retryable, State::Completed], "poison".to_owned());
    assert_eq!(outcome(&client, &ids).await, expected);
}

#[tokio::test]
async fn damaged_data_blames_the_job_that_it_is_of() {
    let (_database, pool, client) = scene().await;
    refuse_by(&pool, "data_corrupted").await;
    let (states, said) = run(&client, &["well", "poison", "well"]).await;
    assert_eq!(states, [State::Completed, State::Retryable, State::Completed]);
    assert!(said.contains("could not be written"), "{said}");
}

#[tokio::test]
async fn what_should_pass_and_never_does_holds_up_none_of_its_batch() {
    let (_database, pool, client) = scene().await;
    refuse_by(&pool, "internal_error").await;
    let hows = ["well", "poison", "well"].map(str::to_owned);
    let ids: Vec<JobId> = act::enqueue_many(&client, hows).await.unwrap().iter().map(pgq::Handle::id).collect();
    let mut worker = stepper::<()>(&client, pgq::tasks![act], ()).await.unwrap();
    while worker.step().await.is_err() {}
    assert_eq!(outcome(&client, &ids).await.0, [State::Completed, State::Running, State::Completed]);
}

#[tokio::test]
async fn an_end_that_is_refused_in_any_form_is_left_aside() {
    let (_database, pool, client) = scene().await;
    let never = "create trigger refuse_history before insert on pgq.history for each row
                 when (new.headers ? 'accursed') execute function refuse()";
    sqlx::query(never).execute(&pool).await.unwrap();
    let accursed = act::job("well".to_owned()).tag("accursed").enqueue(&client).await.unwrap().id();
    let (states, _) = run(&client, &["well"]).await;
    assert_eq!(states, [State::Completed]);
    assert_eq!(outcome(&client, &[accursed]).await.0, [State::Running]);
}

#[pgq::task]
async fn creep(ctx: Context) -> Result<(), pgq::BoxError> {
    ctx.progress(1, 2);
    ctx.cancelled().await;
    Ok(())
}

const STILL: &str = "
    create function refuse() returns trigger language plpgsql as $$ begin raise exception 'stand still'; end $$;
    create trigger refuse before update of progress on pgq.job for each row
        when (new.progress is not null and new.headers ? 'still') execute function refuse()";

#[tokio::test]
async fn progress_that_the_database_refuses_holds_up_no_other() {
    let database = installed().await;
    let pool = database.pool().await.unwrap();
    raw_sql(STILL).execute(&pool).await.unwrap();
    let client = Client::from_pool(pool).unwrap();
    let mut ids = Vec::new();
    for tag in ["quick", "still", "quick"] {
        ids.push(creep::job(()).tag(tag).enqueue(&client).await.unwrap().id());
    }
    let mut worker = stepper::<()>(&client, pgq::tasks![creep], ()).await.unwrap();
    assert_eq!(worker.start().await.unwrap(), 3);
    let told = async |id| client.get(id).await.unwrap().unwrap().progress.is_some();
    let both = async {
        // The server says that it refuses a statement before it lets go of the rows, which the next one then passes over.
        while !(told(ids[0]).await && told(ids[2]).await) {
            worker.tell().await.unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), both).await.expect("the others' progress is told");
    assert!(!told(ids[1]).await);
}

/// Refuses every end, and counts how often: what a sequence has given out no rollback takes back.
const REFUSE_ALL: &str = "
    create sequence refusals minvalue 0;
    create function refuse_and_count() returns trigger language plpgsql as $$
      begin
        perform nextval('public.refusals');
        raise exception 'not here';
      end $$;
    create trigger refuse_all before insert on pgq.history for each row execute function refuse_and_count()";

#[tokio::test]
async fn an_end_that_was_left_aside_is_written_when_its_worker_stops() {
    let (_database, pool, client) = scene().await;
    raw_sql(REFUSE_ALL).execute(&pool).await.unwrap();
    let worker = Worker::<()>::builder().client(client.clone()).tasks(pgq::tasks![act]).resources(());
    let worker = worker.spawn().await.unwrap();
    let id = act::enqueue(&client, "well".to_owned()).await.unwrap().id();
    // As it is, and without its details.
    let twice = async {
        let given = "select last_value from refusals";
        while sqlx::query_scalar::<_, i64>(given).fetch_one(&pool).await.unwrap() < 1 {}
    };
    tokio::time::timeout(Duration::from_secs(20), twice).await.expect("both forms are refused");
    sqlx::query("drop trigger refuse_all on pgq.history").execute(&pool).await.unwrap();
    worker.stop().await.unwrap();
    assert_eq!(outcome(&client, &[id]).await.0, [State::Completed]);
}

#[tokio::test]
async fn what_is_refused_to_the_last_is_handed_back_when_its_worker_stops() {
    let (_database, pool, client) = scene().await;
    raw_sql(REFUSE_ALL).execute(&pool).await.unwrap();
    let worker = Worker::<()>::builder().client(client.clone()).tasks(pgq::tasks![act]).resources(());
    let worker = worker.spawn().await.unwrap();
    let ids = act::enqueue_many(&client, vec!["well".to_owned(); 300]).await.unwrap();
    let ids: Vec<JobId> = ids.iter().map(pgq::Handle::id).collect();
    let begun = async {
        let given = "select last_value from refusals";
        while sqlx::query_scalar::<_, i64>(given).fetch_one(&pool).await.unwrap() < 1 {}
    };
    tokio::time::timeout(Duration::from_secs(20), begun).await.expect("ends are refused");
    let error = worker.stop().await.unwrap_err();
    assert!(error.to_string().contains("their jobs will run again"), "{error}");
    let (states, _) = outcome(&client, &ids).await;
    assert!(states.iter().all(|state| *state == State::Available), "{states:?}");
}

#[tokio::test]
async fn a_job_that_can_not_be_freed_holds_up_none_that_its_worker_had() {
    let world = World::postgres().await;
    let pool = world.client.pool().unwrap();
    raw_sql(
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not here'; end $$;
         create trigger refuse before insert on pgq.history for each row
             when (new.headers ? 'accursed') execute function refuse()",
    )
    .execute(pool)
    .await
    .unwrap();
    let ids = world.put((0..4).map(|_| job("a")).collect()).await.unwrap();
    let last = "update pgq.job set headers = '{\"accursed\": \"\"}', max_attempts = 1 where id = $1";
    sqlx::query(last).bind(ids[1].0).execute(pool).await.unwrap();
    let (dead, other) = (world.session(&["a"]).await.unwrap(), world.session(&["a"]).await.unwrap());
    assert_eq!(claim(&dead, &["a"], 4).await.unwrap().len(), 4);
    world.clock.advance(SPAN * 2);
    other.attend().await.unwrap().renew().await.unwrap();
    assert_eq!(other.rescue(1_000).await.unwrap().freed, 3);
    for (n, id) in ids.iter().enumerate() {
        let expected = if n == 1 { State::Running } else { State::Available };
        assert_eq!(world.state(*id).await.unwrap(), expected);
    }
    sqlx::query("drop trigger refuse on pgq.history").execute(pool).await.unwrap();
    assert_eq!(other.rescue(1_000).await.unwrap().freed, 0, "it is left alone for a while");
    world.clock.advance(Duration::from_mins(1));
    other.attend().await.unwrap().renew().await.unwrap();
    assert_eq!(other.rescue(1_000).await.unwrap().discarded.len(), 1);
}

/// Each refusal but the first waits for a lock.
const SLOWLY: &str = "
    create sequence refusals minvalue 0;
    create function refuse_slowly() returns trigger language plpgsql as $$
      begin
        if nextval('public.refusals') > 0 then perform pg_advisory_xact_lock(7); end if;
        raise exception 'not here';
      end $$;
    create trigger refuse before insert on pgq.history for each row execute function refuse_slowly()";

#[tokio::test]
async fn what_is_not_freed_within_five_seconds_is_left_to_the_next_look() {
    let world = World::postgres().await;
    let pool = world.client.pool().unwrap();
    raw_sql(SLOWLY).execute(pool).await.unwrap();
    let ids = world.put((0..4).map(|_| job("a")).collect()).await.unwrap();
    let last = sqlx::query("update pgq.job set max_attempts = 1 where id = $1").bind(ids[1].0);
    last.execute(pool).await.unwrap();
    let (dead, other) = (world.session(&["a"]).await.unwrap(), world.session(&["a"]).await.unwrap());
    assert_eq!(claim(&dead, &["a"], 4).await.unwrap().len(), 4);
    world.clock.advance(SPAN * 2);
    other.attend().await.unwrap().renew().await.unwrap();
    let mut held = pool.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(7)").execute(&mut *held).await.unwrap();
    let rescuing = tokio::spawn({
        let other = std::sync::Arc::clone(&other);
        async move { other.rescue(1_000).await.unwrap() }
    });
    until_waits(&world, "").await;
    world.clock.advance(Duration::from_secs(5));
    held.rollback().await.unwrap();
    assert_eq!(rescuing.await.unwrap().freed, 0);
    assert_eq!(other.rescue(1_000).await.unwrap().freed, 3);
}
