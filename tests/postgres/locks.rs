//! What happens where somebody else has a row locked: each test holds the lock that a claim, a finish or a rescue in flight
//! would hold.

use std::sync::Arc;
use std::time::Duration;

use pgq::backend::{Bounds, Declared, Lease, Limited, NewJob, Renewal, Session, Transition, Verdict};
use pgq::sqlx::{self, PgPool, Postgres, Transaction};
use pgq::testing::Stepper;
use pgq::{Allow, Client, JobId, LimitRef, State};

use crate::proxy::Proxy;
use crate::world::{SECOND, SPAN, World, claim, claim_of, end, ended, ids, job, want, with_priority};

type Tx = Transaction<'static, Postgres>;

/// Locks what `query` selects, for as long as the transaction lives.
async fn lock(world: &World, query: &'static str, id: i64) -> Tx {
    let mut tx = world.client.pool().unwrap().begin().await.unwrap();
    assert_eq!(sqlx::query(query).bind(id).execute(&mut *tx).await.unwrap().rows_affected(), 1);
    tx
}

async fn lock_job(world: &World, id: JobId) -> Tx {
    lock(world, "select from pgq.job where id = $1 for update", id.0).await
}

/// Locks a limit by its full name, as who declares or sets it does.
pub(super) async fn lock_limit(world: &World, name: &str) -> Tx {
    let mut tx = world.client.pool().unwrap().begin().await.unwrap();
    let locked = sqlx::query("select from pgq.limit where name = $1 for update").bind(name).execute(&mut *tx).await;
    assert_eq!(locked.unwrap().rows_affected(), 1);
    tx
}

async fn lock_worker(world: &World, lease: Lease, how: &'static str) -> Tx {
    lock(world, how, lease.0).await
}

/// What others do in this database.
const STATEMENTS: &str =
    "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";

const LIKE_A_CLAIM: &str = "select from pgq.worker where id = $1 and gone is null for key share";
const LIKE_A_RESCUE: &str = "select from pgq.worker where id = $1 for update";

async fn session(world: &World) -> Arc<dyn Session> {
    world.session(&["a", "b"]).await.unwrap()
}

#[tokio::test]
async fn a_claim_passes_by_what_is_locked() {
    let world = World::postgres().await;
    let put = world.put(vec![job("a"), job("a")]).await.unwrap();
    let _held = lock_job(&world, put[0]).await;
    let session = session(&world).await;
    assert_eq!(ids(&claim(&session, &["a"], 9).await.unwrap()), put[1..]);
}

#[tokio::test]
async fn a_locked_job_holds_up_nothing_of_lower_priority() {
    let world = World::postgres().await;
    let put = world.put(vec![with_priority("a", 9), with_priority("a", 1), job("b")]).await.unwrap();
    let _held = lock_job(&world, put[0]).await;
    let session = session(&world).await;
    assert_eq!(ids(&claim(&session, &["a", "b"], 9).await.unwrap()), put[1..2]);
    assert_eq!(ids(&claim(&session, &["a", "b"], 9).await.unwrap()), put[2..]);
}

#[tokio::test]
async fn a_finish_never_waits_for_a_lock_and_says_so() {
    let world = World::postgres().await;
    let put = world.put(vec![job("a"), job("a")]).await.unwrap();
    let session = session(&world).await;
    let won = claim(&session, &["a"], 2).await.unwrap();
    let held = lock_job(&world, put[0]).await;
    let batch = || won.iter().map(|job| ended(job, Transition::Complete)).collect::<Vec<_>>();
    assert_eq!(session.finish(&batch()).await.unwrap(), [Verdict::Busy, Verdict::Written]);
    held.rollback().await.unwrap();
    assert_eq!(session.finish(&batch()).await.unwrap(), [Verdict::Written, Verdict::Lost]);
}

#[tokio::test]
async fn a_worker_whose_claim_is_in_flight_is_not_declared_gone() {
    let world = World::postgres().await;
    let (silent, other) = (session(&world).await, session(&world).await);
    world.clock.advance(SPAN * 2);
    other.attend().await.unwrap().renew().await.unwrap();
    let in_flight = lock_worker(&world, silent.lease(), LIKE_A_CLAIM).await;
    assert_eq!(other.rescue(9).await.unwrap().gone, 0);
    in_flight.commit().await.unwrap();
    assert_eq!(other.rescue(9).await.unwrap().gone, 1);
}

#[tokio::test]
async fn a_claim_waits_for_the_verdict_on_its_worker() {
    let world = World::postgres().await;
    world.put_one(job("a")).await.unwrap();
    let doomed = session(&world).await;
    let mut rescue = lock_worker(&world, doomed.lease(), LIKE_A_RESCUE).await;
    let claiming = tokio::spawn({
        let doomed = Arc::clone(&doomed);
        async move { claim(&doomed, &["a"], 1).await.unwrap() }
    });
    waits_for_a_lock(&world).await;
    let gone = sqlx::query("update pgq.worker set gone = clock_timestamp() where id = $1").bind(doomed.lease().0);
    gone.execute(&mut *rescue).await.unwrap();
    rescue.commit().await.unwrap();
    assert!(claiming.await.unwrap().is_empty(), "nothing is won for a worker that was declared gone");
}

#[tokio::test]
async fn who_freezes_before_the_commit_of_a_claim_is_declared_gone_soon() {
    let world = World::postgres().await;
    let id = world.put_one(job("a")).await.unwrap();
    let proxy = Proxy::to(world.database.as_ref().unwrap().options()).await.unwrap();
    let pool = PgPool::connect_with(proxy.options()).await.unwrap();
    let client = Client::builder().unwrap().clock(world.clock.clone()).poll_only().pool(pool);
    let behind = World::of(client, world.clock.clone(), None);
    let (doomed, other) = (session(&behind).await, session(&world).await);
    let held = lock_worker(&world, doomed.lease(), LIKE_A_RESCUE).await;
    let claiming = tokio::spawn({
        let doomed = Arc::clone(&doomed);
        async move { claim(&doomed, &["a"], 1).await }
    });
    waits_for_a_lock(&world).await;
    proxy.freeze();
    held.rollback().await.unwrap();
    until(&world, &format!("{STATEMENTS} and state = 'idle in transaction'")).await;
    world.clock.advance(SPAN * 2);
    other.attend().await.unwrap().renew().await.unwrap();
    let gone = async {
        while other.rescue(9).await.unwrap().gone == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(8), gone).await.expect("its transaction is ended");
    claiming.abort();
    assert_eq!(world.state(id).await.unwrap(), State::Available);
}

#[tokio::test]
async fn a_beat_waits_for_no_look_at_what_its_lease_holds() {
    let world = World::postgres().await;
    let id = world.put_one(job("a")).await.unwrap();
    let session = session(&world).await;
    claim(&session, &["a"], 1).await.unwrap();
    let mut pulse = session.attend().await.unwrap();
    let held = lock_job(&world, id).await;
    let releasing = tokio::spawn({
        let session = Arc::clone(&session);
        async move { session.release_all_but(Vec::new()).await.unwrap() }
    });
    waits_for_a_lock(&world).await;
    let beat = tokio::time::timeout(Duration::from_secs(5), pulse.renew()).await.expect("it waits for nobody");
    assert_eq!(beat.unwrap(), Renewal::Alive { cancelled: Vec::new() });
    held.rollback().await.unwrap();
    assert_eq!(releasing.await.unwrap().released, 1);
}

#[tokio::test]
async fn handing_back_waits_for_claims_in_flight() {
    let world = World::postgres().await;
    let id = world.put_one(job("a")).await.unwrap();
    let session = session(&world).await;
    let mut in_flight = lock_worker(&world, session.lease(), LIKE_A_CLAIM).await;
    let releasing = tokio::spawn({
        let session = Arc::clone(&session);
        async move { session.release_all_but(Vec::new()).await.unwrap() }
    });
    waits_for_a_lock(&world).await;
    let won = sqlx::query("update pgq.job set lease = $1, epoch = 1, attempt = 1 where id = $2");
    won.bind(session.lease().0).bind(id.0).execute(&mut *in_flight).await.unwrap();
    in_flight.commit().await.unwrap();
    assert_eq!(releasing.await.unwrap().released, 1);
    assert_eq!(world.state(id).await.unwrap(), State::Available);
}

/// Until somebody waits for a lock in this database.
async fn waits_for_a_lock(world: &World) {
    until_waits(world, "").await;
}

/// The same for a statement that the condition picks. Polled, because the server tells nobody.
pub(super) async fn until_waits(world: &World, condition: &str) {
    until(world, &format!("{STATEMENTS} and wait_event_type = 'Lock' {condition}")).await;
}

/// Until a query counts something.
pub(super) async fn until(world: &World, query: &str) {
    let pool = world.client.pool().unwrap();
    let waits = async {
        while sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(query)).fetch_one(pool).await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), waits).await;
    waited.unwrap_or_else(|_| panic!("it never comes about: {query}"));
}

#[pgq::task]
async fn greet() -> Result<(), pgq::BoxError> {
    Ok(())
}

#[tokio::test]
async fn what_a_claim_wins_after_its_worker_was_told_to_stop_is_handed_back() {
    // Now and then the claim that waits began before the job was there, and wins nothing; more often on a busy machine.
    for _ in 0..30 {
        let job = stop_during_a_claim().await;
        assert_eq!((job.state, job.attempt), (State::Available, 0));
        if job.epoch == 1 {
            return;
        }
    }
    panic!("no claim won the job");
}

async fn stop_during_a_claim() -> pgq::JobInfo {
    let world = World::postgres().await;
    let builder = pgq::Worker::<()>::builder().client(world.client.clone()).tasks(pgq::tasks![greet]);
    let worker = builder.spawn().await.unwrap();
    let pool = world.client.pool().unwrap();
    let lease: i64 = sqlx::query_scalar("select id from pgq.worker").fetch_one(pool).await.unwrap();
    // Only a sleeper is told of what is due soon.
    until(&world, "select count(*) from pgq.sleeper where asleep").await;
    looked_once_more(&world).await;
    let delay = Duration::from_millis(300);
    let id = greet::job(()).delay(delay).enqueue(&world.client).await.unwrap().id();
    let verdict = lock_worker(&world, Lease(lease), LIKE_A_RESCUE).await;
    // Less than the time between two looks, so that the claim that follows is the one for this job; in steps, as nobody tells
    // from when on the promoter waits for its time.
    let time = async {
        for _ in 0..90 {
            world.clock.advance(Duration::from_millis(10));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::join!(time, until_waits(&world, "and query like '%for key share%'"));
    worker.stopper().insist();
    let stopped = tokio::spawn(worker.stop());
    until_waits(&world, "and query like '%for update%'").await;
    verdict.commit().await.unwrap();
    stopped.await.unwrap().unwrap();
    world.job(id).await.unwrap()
}

/// Who has fallen asleep looks once more some time later.
async fn looked_once_more(world: &World) {
    let pool = world.client.pool().unwrap();
    let now: String = sqlx::query_scalar("select clock_timestamp()::text").fetch_one(pool).await.unwrap();
    world.clock.advance(Duration::from_millis(200));
    until(world, &format!("{STATEMENTS} and query like '%for key share%' and query_start > '{now}'")).await;
}

#[tokio::test]
async fn a_cancel_waits_for_nobody_for_long() {
    let world = World::postgres().await;
    let id = world.put_one(job("a")).await.unwrap();
    let _held = lock_job(&world, id).await;
    let error = world.client.cancel(id, "").await.unwrap_err();
    assert!(error.is_database() && error.to_string().contains("locked by somebody else"), "{error}");
    assert_eq!(error.job(), Some(id));
}

#[tokio::test]
async fn a_row_of_another_version_is_parked_and_harms_no_other() {
    let world = World::postgres().await;
    let put = world.put(vec![job("a"), job("a"), job("a")]).await.unwrap();
    let pool = world.client.pool().unwrap();
    sqlx::query("update pgq.job set headers = '{\"a\": 1}' where id = 1").execute(pool).await.unwrap();
    sqlx::query("update pgq.job set extra = '\"x\"' where id = 2").execute(pool).await.unwrap();
    let session = session(&world).await;
    let won = claim_of(&session, vec![want("default", "a", 9)], 9).await.unwrap();
    assert_eq!(ids(&won), put);
    assert_eq!(won.iter().map(|job| job.damage.is_some()).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(end(&session, &won[2], Transition::Complete).await.unwrap(), Verdict::Written);
}

/// Declares that of `a` one at a time runs for each value of these keys.
async fn serial(world: &World, keys: &[&str]) -> Arc<dyn Session> {
    bounded(world, keys, 1).await
}

/// The same of so many at a time.
async fn bounded(world: &World, keys: &[&str], most: u32) -> Arc<dyn Session> {
    let session = session(world).await;
    let limit = |key: &&str| Limited {
        name: format!("task:a[{key}]"),
        task: Some("a".to_owned()),
        sharers: Vec::new(),
        keyed: true,
        bounds: Bounds { concurrency: Some(most), rate: None },
    };
    let limits = keys.iter().map(limit).collect();
    session.declare(Declared { tasks: vec!["a".to_owned()], limits, ..Declared::default() }).await.unwrap();
    session
}

/// Of `a`, one at a time for each key, with these jobs.
async fn one_at_a_time(world: &World, keys: &[&str]) -> (Arc<dyn Session>, Vec<JobId>) {
    let session = serial(world, &["key"]).await;
    (session, of_values(world, keys).await)
}

async fn of_values(world: &World, keys: &[&str]) -> Vec<JobId> {
    let gated = |key: &&str| NewJob { limit_keys: vec![format!("task:a[key]={key}")], ..job("a") };
    world.put(keys.iter().map(gated).collect()).await.unwrap()
}

/// As an end after which its worker has left the gate, and hasn't heard of it, or was killed before it looked who waits there.
async fn end_unheard(world: &World, id: JobId) {
    let pool = world.client.pool().unwrap();
    sqlx::query("delete from pgq.job where id = $1").bind(id.0).execute(pool).await.unwrap();
    sqlx::query("delete from pgq.pass where job = $1").bind(id.0).execute(pool).await.unwrap();
}

pub(super) async fn lock_gate(world: &World, gate: &str) -> Tx {
    let mut tx = world.client.pool().unwrap().begin().await.unwrap();
    let query = sqlx::query("select from pgq.gate where name = $1 for update").bind(gate);
    assert_eq!(query.execute(&mut *tx).await.unwrap().rows_affected(), 1);
    tx
}

#[tokio::test]
async fn who_is_locked_when_its_gate_opens_is_ready_soon() {
    let world = World::postgres().await;
    let (session, put) = one_at_a_time(&world, &["1", "1"]).await;
    let won = claim(&session, &["a"], 9).await.unwrap();
    assert_eq!(ids(&won), put[..1]);
    let held = lock_job(&world, put[1]).await;
    end(&session, &won[0], Transition::Complete).await.unwrap();
    held.rollback().await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    session.promote(9).await.unwrap();
    assert_eq!(ids(&claim(&session, &["a"], 9).await.unwrap()), put[1..]);
}

#[tokio::test]
async fn a_locked_gate_holds_up_only_those_who_have_to_pass_it() {
    let world = World::postgres().await;
    let (session, put) = one_at_a_time(&world, &["1", "2"]).await;
    for job in claim(&session, &["a"], 9).await.unwrap() {
        end(&session, &job, Transition::Complete).await.unwrap();
    }
    let gated = |key: &str| NewJob { limit_keys: vec![format!("task:a[key]={key}")], ..job("a") };
    let put = [put, world.put(vec![gated("1"), gated("2"), gated("1")]).await.unwrap()].concat();
    let held = lock_gate(&world, "task:a[key]=1").await;
    assert_eq!(ids(&claim(&session, &["a"], 9).await.unwrap()), put[3..4]);
    let back = world.job(put[2]).await.unwrap();
    assert_eq!((back.state, back.attempt), (State::Available, 0), "it is handed back");
    held.rollback().await.unwrap();
    assert_eq!(ids(&claim(&session, &["a"], 9).await.unwrap()), put[2..3], "and keeps its place");
}

#[tokio::test]
async fn an_end_waits_for_no_gate_that_somebody_holds() {
    let world = World::postgres().await;
    let (session, put) = one_at_a_time(&world, &["1", "1"]).await;
    let won = claim(&session, &["a"], 9).await.unwrap();
    let held = lock_gate(&world, "task:a[key]=1").await;
    assert_eq!(end(&session, &won[0], Transition::Complete).await.unwrap(), Verdict::Written);
    assert!(claim(&session, &["a"], 9).await.unwrap().is_empty(), "the next one waits");
    held.rollback().await.unwrap();
    session.promote(9).await.unwrap();
    assert_eq!(ids(&claim(&session, &["a"], 9).await.unwrap()), put[1..]);
}

#[tokio::test]
async fn a_gate_that_somebody_holds_keeps_nobody_before_the_others() {
    let world = World::postgres().await;
    let (session, put) = one_at_a_time(&world, &["1", "2", "3", "1", "2", "3"]).await;
    let won = claim(&session, &["a"], 9).await.unwrap();
    assert_eq!(ids(&won), put[..3]);
    let held = lock_gate(&world, "task:a[key]=2").await;
    let ends: Vec<_> = won.iter().map(|job| ended(job, Transition::Complete)).collect();
    session.finish(&ends).await.unwrap();
    assert_eq!(ids(&claim(&session, &["a"], 9).await.unwrap()), [put[3], put[5]]);
    held.rollback().await.unwrap();
    session.promote(9).await.unwrap();
    assert_eq!(ids(&claim(&session, &["a"], 9).await.unwrap()), put[4..5]);
}

#[tokio::test]
async fn who_waits_at_a_gate_goes_when_the_one_is_declared_gone_who_was_to_look_there() {
    for most in [1, 2] {
        let world = World::postgres().await;
        let dying = bounded(&world, &["key"], most).await;
        let other = session(&world).await;
        let put = of_values(&world, &["1", "1", "1"][..=most as usize]).await;
        assert_eq!(ids(&claim(&dying, &["a"], 1).await.unwrap()), put[..1]);
        assert_eq!(ids(&claim(&other, &["a"], 9).await.unwrap()), put[1..most as usize]);
        world.clock.advance(SECOND * 11);
        assert_eq!(other.promote(9).await.unwrap().opens, Some(Duration::from_mins(1)), "it was looked at in vain");
        end_unheard(&world, put[0]).await;
        world.clock.advance(SPAN + SECOND);
        assert!(claim(&other, &["a"], 9).await.unwrap().is_empty(), "nobody has looked");
        other.attend().await.unwrap().renew().await.unwrap();
        assert_eq!(other.rescue(9).await.unwrap().gone, 1);
        other.promote(9).await.unwrap();
        assert_eq!(ids(&claim(&other, &["a"], 9).await.unwrap()), put[most as usize..], "{most} at once");
    }
}

#[tokio::test]
async fn who_waits_at_a_gate_goes_though_it_was_not_heard_that_it_was_left() {
    let world = World::postgres().await;
    let (session, put) = one_at_a_time(&world, &["1", "1"]).await;
    let won = claim(&session, &["a"], 9).await.unwrap();
    assert_eq!((ids(&won), claim(&session, &["a"], 9).await.unwrap().len()), (put[..1].to_vec(), 0));
    end_unheard(&world, put[0]).await;
    assert_eq!(end(&session, &won[0], Transition::Complete).await.unwrap(), Verdict::Lost);
    assert_eq!(ids(&claim(&session, &["a"], 9).await.unwrap()), put[1..]);
}

#[tokio::test]
async fn what_is_opened_at_once_is_let_go_in_steps() {
    let world = World::postgres().await;
    let session = serial(&world, &["key"]).await;
    let keys: Vec<String> = (0..3).map(|key| key.to_string()).collect();
    let of_each = keys.iter().flat_map(|key| std::iter::repeat_n(&**key, 700)).collect::<Vec<_>>();
    of_values(&world, &of_each).await;
    while !claim(&session, &["a"], 100).await.unwrap().is_empty() {}
    let ready = async || {
        let count = sqlx::query_scalar::<_, i64>("select count(*) from pgq.job where lane = 0 and lease is null");
        count.fetch_one(world.client.pool().unwrap()).await.unwrap()
    };
    while ready().await > 0 {
        claim(&session, &["a"], 100).await.unwrap();
    }
    world.client.set_limit(LimitRef::task("a").key("key"), Allow::everything()).await.unwrap();
    let mut before = 0;
    while before < 2097 {
        session.promote(1_000).await.unwrap();
        let now = ready().await;
        assert!(now > before && now - before <= 1_000, "from {before} to {now}");
        before = now;
    }
}

#[tokio::test]
async fn a_gate_that_somebody_looks_at_as_it_opens_keeps_no_other_awake() {
    let world = World::postgres().await;
    let (session, _) = one_at_a_time(&world, &["1", "1"]).await;
    claim(&session, &["a"], 9).await.unwrap();
    world.clock.advance(Duration::from_secs(11));
    let held = lock_gate(&world, "task:a[key]=1").await;
    let opens = session.promote(1_000).await.unwrap().opens.unwrap();
    assert!(opens >= Duration::from_millis(100), "{opens:?}: it is locked");
    held.rollback().await.unwrap();
    assert_eq!(session.promote(1_000).await.unwrap().opens, Some(Duration::from_mins(1)), "nobody else has looked");
}

#[tokio::test]
async fn who_waited_at_another_gate_before_and_is_handed_back_is_not_overtaken() {
    let world = World::postgres().await;
    let session = serial(&world, &["from", "to"]).await;
    let gated =
        |gates: &[&str]| NewJob { limit_keys: gates.iter().map(|gate| format!("task:a[{gate}")).collect(), ..job("a") };
    let put = world.put(vec![gated(&["to]=2"]), gated(&["from]=1", "to]=2"])]).await.unwrap();
    let won = claim(&session, &["a"], 9).await.unwrap();
    assert_eq!(ids(&won), put[..1]);
    end(&session, &won[0], Transition::Complete).await.unwrap();
    let won = claim(&session, &["a"], 9).await.unwrap();
    assert_eq!(ids(&won), put[1..]);
    let next = world.put_one(gated(&["from]=1"])).await.unwrap();
    end(&session, &won[0], Transition::Release).await.unwrap();
    let claimed_elsewhere = lock_job(&world, put[1]).await;
    assert!(claim(&session, &["a"], 9).await.unwrap().is_empty(), "{next} waits for its turn");
    claimed_elsewhere.rollback().await.unwrap();
    assert_eq!(ids(&claim(&session, &["a"], 9).await.unwrap()), put[1..]);
}

#[tokio::test]
async fn who_stood_before_its_gates_when_its_worker_died_bears_no_blame() {
    let world = World::postgres().await;
    let (doomed, put) = one_at_a_time(&world, &["1", "2"]).await;
    let other = session(&world).await;
    let won = claim(&doomed, &["a"], 9).await.unwrap();
    assert_eq!(ids(&won), put);
    // As if it had died between its claim and its gates.
    let pool = world.client.pool().unwrap();
    sqlx::query("delete from pgq.pass where job = $1").bind(put[0].0).execute(pool).await.unwrap();
    world.clock.advance(SPAN * 2);
    other.attend().await.unwrap().renew().await.unwrap();
    assert_eq!(other.rescue(9).await.unwrap().freed, 2);
    let standing = [world.job(put[0]).await.unwrap(), world.job(put[1]).await.unwrap()];
    assert_eq!(
        standing.each_ref().map(|job| (job.state, job.attempt, job.crashes)),
        [(State::Available, 0, 0), (State::Available, 1, 1)]
    );
    other.rescue(9).await.unwrap();
    assert_eq!(ids(&claim(&other, &["a"], 9).await.unwrap()), put);
}

#[tokio::test]
async fn who_stood_before_a_gate_that_is_not_there_yet_bears_no_blame_either() {
    let world = World::postgres().await;
    let (doomed, put) = one_at_a_time(&world, &["1"]).await;
    let other = session(&world).await;
    assert_eq!(ids(&claim(&doomed, &["a"], 9).await.unwrap()), put);
    // As if it had died before it had put the gate in.
    let pool = world.client.pool().unwrap();
    sqlx::raw_sql("delete from pgq.pass; delete from pgq.gate").execute(pool).await.unwrap();
    world.clock.advance(SPAN * 2);
    other.attend().await.unwrap().renew().await.unwrap();
    assert_eq!(other.rescue(9).await.unwrap().freed, 1);
    let standing = world.job(put[0]).await.unwrap();
    assert_eq!((standing.state, standing.attempt, standing.crashes), (State::Available, 0, 0));
}

/// With the claim's commit, and before it stands at its gates.
async fn meanwhile(world: &World, deed: &str) {
    let sql = format!(
        "create function meanwhile() returns trigger language plpgsql as $$ begin {deed}; return null; end $$;
         create trigger meanwhile after update on pgq.job for each statement execute function meanwhile()"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(world.client.pool().unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_claim_that_may_be_forgotten_or_was_handed_back_passes_no_gate() {
    for deed in ["delete from pgq.remembered", "update pgq.worker set doubts = doubts + 1"] {
        for gate in ["task:a[key]=1", "task:a[other]=1"] {
            let world = World::postgres().await;
            let (session, _) = one_at_a_time(&world, &[]).await;
            let put = world.put(vec![NewJob { limit_keys: vec![gate.to_owned()], ..job("a") }]).await.unwrap();
            meanwhile(&world, deed).await;
            let refused = claim(&session, &["a"], 9).await.unwrap_err();
            assert!(refused.to_string().contains("before the gates"), "{deed}: {refused}");
            let pool = world.client.pool().unwrap();
            sqlx::raw_sql("drop function meanwhile cascade").execute(pool).await.unwrap();
            assert_eq!(session.release_all_but(Vec::new()).await.unwrap().released, 1, "{deed}");
            assert_eq!(ids(&claim(&session, &["a"], 9).await.unwrap()), put, "{deed}: {gate}");
        }
    }
}

/// Whoever takes several away has them locked in another order.
#[tokio::test]
async fn a_lost_pass_that_somebody_takes_away_is_left_to_him() {
    let world = World::postgres().await;
    let (session, _) = one_at_a_time(&world, &["1"]).await;
    claim(&session, &["a"], 9).await.unwrap();
    let pool = world.client.pool().unwrap();
    sqlx::query("update pgq.pass set epoch = 0").execute(pool).await.unwrap();
    let mut leaves = pool.begin().await.unwrap();
    sqlx::query("delete from pgq.pass").execute(&mut *leaves).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), session.tidy()).await.expect("nobody waits for him").unwrap();
    leaves.rollback().await.unwrap();
    let passes = async || {
        let count = sqlx::query_scalar::<_, i64>("select count(*) from pgq.pass");
        count.fetch_one(pool).await.unwrap()
    };
    assert_eq!(passes().await, 1);
    session.tidy().await.unwrap();
    assert_eq!(passes().await, 0);
}

#[tokio::test]
async fn a_claim_that_the_server_forgot_is_told_and_its_number_is_not_given_twice() {
    let world = World::postgres().await;
    let put = world.put(vec![job("a"), job("a")]).await.unwrap();
    let session = session(&world).await;
    let won = claim(&session, &["a"], 9).await.unwrap();
    // As a crash that comes before the claim of the first is on disk.
    let forget = "update pgq.job set lease = null, epoch = 0, attempt = 0 where id = $1";
    sqlx::query(forget).bind(put[0].0).execute(world.client.pool().unwrap()).await.unwrap();
    let kept: Vec<_> = won.iter().map(|job| (job.id, job.epoch)).collect();
    let reconciled = session.release_all_but(kept.clone()).await.unwrap();
    assert_eq!((reconciled.released, reconciled.forgotten), (0, kept[..1].to_vec()));
    let again = claim(&session, &["a"], 9).await.unwrap();
    assert_eq!(again.iter().map(|job| (job.id, job.epoch)).collect::<Vec<_>>(), [(put[0], 2)]);
}

#[pgq::task(limit(rps = 1, per = "24h", key = "shop"))]
async fn remind(shop: u32, number: u32) -> Result<(), pgq::BoxError> {
    let _ = (shop, number);
    Ok(())
}

/// One of four has started, and somebody looks at the gate where the others wait.
async fn reminders(world: &World) -> (Stepper, Tx) {
    let mut worker = world.worker(pgq::tasks![remind], ()).await.unwrap();
    let args = |number| RemindArgs { shop: 7, number };
    remind::enqueue_many(&world.client, (0..4).map(args)).await.unwrap();
    assert_eq!(worker.drain().await.unwrap(), 1);
    (worker, lock_gate(world, "task:remind[shop]=7").await)
}

#[tokio::test]
async fn who_waits_at_a_gate_that_was_locked_while_its_limit_was_lifted_goes_at_once() {
    let world = World::postgres().await;
    let (mut worker, looking) = reminders(&world).await;
    let client = world.client.clone();
    let lifting = tokio::spawn(async move {
        client.set_limit(LimitRef::of::<remind>().key("shop"), Allow::everything()).await.unwrap();
    });
    waits_for_a_lock(&world).await;
    looking.commit().await.unwrap();
    lifting.await.unwrap();
    assert_eq!(worker.drain().await.unwrap(), 3);
}

#[tokio::test]
async fn a_start_behind_a_gate_that_is_new_counts_where_its_value_is_given_a_rate_of_its_own() {
    let world = World::postgres().await;
    let mut worker = world.worker(pgq::tasks![remind], ()).await.unwrap();
    remind::enqueue(&world.client, RemindArgs { shop: 8, number: 0 }).await.unwrap();
    assert_eq!(worker.drain().await.unwrap(), 1);
    let mut starts = world.client.pool().unwrap().begin().await.unwrap();
    let like_it = "insert into pgq.gate (name, \"limit\", since, rest, clear, pace)
        select 'task:remind[shop]=7', \"limit\", since, rest, clear, pace from pgq.gate where name = 'task:remind[shop]=8'";
    assert_eq!(sqlx::query(like_it).execute(&mut *starts).await.unwrap().rows_affected(), 1);
    let client = world.client.clone();
    let setting = tokio::spawn(async move {
        let value = LimitRef::of::<remind>().key("shop").value("7");
        client.set_limit(value, Allow::everything().starts(1.0, Duration::from_hours(48))).await.unwrap();
    });
    until_waits(&world, "and query like '%insert into%'").await;
    starts.commit().await.unwrap();
    setting.await.unwrap();
    remind::enqueue(&world.client, RemindArgs { shop: 7, number: 0 }).await.unwrap();
    world.clock.advance(Duration::from_hours(47));
    assert_eq!(worker.drain().await.unwrap(), 0);
    world.clock.advance(Duration::from_hours(1));
    assert_eq!(worker.drain().await.unwrap(), 1);
}

#[tokio::test]
async fn who_waits_at_a_gate_that_was_locked_while_another_version_was_deployed_goes_soon() {
    let world = World::postgres().await;
    let (mut worker, looking) = reminders(&world).await;
    let next = world.session(&["remind"]).await.unwrap();
    let tasks = vec!["remind".to_owned()];
    next.declare(Declared { tasks, schedules: Vec::new(), limits: Vec::new() }).await.unwrap();
    looking.commit().await.unwrap();
    assert_eq!(worker.drain().await.unwrap(), 0);
    next.prune(9).await.unwrap();
    assert_eq!(worker.drain().await.unwrap(), 3);
}

#[tokio::test]
async fn who_can_not_be_read_takes_no_token_at_a_gate() {
    let world = World::postgres().await;
    let mut worker = world.worker(pgq::tasks![remind], ()).await.unwrap();
    let args = |number| RemindArgs { shop: 7, number };
    let jobs = remind::enqueue_many(&world.client, (0..2).map(args)).await.unwrap();
    let damage = sqlx::query("update pgq.job set headers = '{\"a\": 1}' where id = $1").bind(jobs[0].id().0);
    damage.execute(world.client.pool().unwrap()).await.unwrap();
    worker.drain().await.unwrap();
    assert_eq!(world.client.jobs().state(State::Discarded).count().await.unwrap().jobs, 1);
    assert_eq!(world.state(jobs[1].id()).await.unwrap(), State::Completed);
}
