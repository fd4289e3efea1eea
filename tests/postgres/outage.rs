//! A database that goes away under a running worker.

use std::sync::Arc;
use std::time::Duration;

use pgq::sqlx::postgres::PgConnectOptions;
use pgq::sqlx::{self, Connection, Executor, PgConnection, PgPool};
use pgq::{Client, Context, JobId, Result, State, Worker};
use pgq_testdb::{Database, Options, Server};
use tokio::io::copy_bidirectional;
use tokio::sync::{Notify, mpsc};

use super::locks::until_waits;
use crate::program::{Running, WORKER, program, put_in};
use crate::proxy::{Proxy, connect, listen};
use crate::world::World;

/// Short, as an outage has to be longer; long enough to get a beat through on a machine that is busy.
const LEASE: Duration = Duration::from_secs(3);

#[derive(pgq::Provide)]
struct App {
    open: Arc<Notify>,
    told: mpsc::UnboundedSender<JobId>,
}

impl pgq::Resources for App {
    async fn init(_: &pgq::Env) -> Result<Self> {
        Err(pgq::Error::init("these tests hand theirs over"))
    }
}

/// Tells that it runs, and runs until it is let go.
#[pgq::task(keep = "1d")]
async fn hold(ctx: Context<App>) -> std::result::Result<(), pgq::BoxError> {
    let _ = ctx.told.send(ctx.job_id());
    ctx.open.notified().await;
    Ok(())
}

struct Scene {
    worker: Worker<App>,
    open: Arc<Notify>,
    told: mpsc::UnboundedReceiver<JobId>,
}

async fn scene(client: &Client, lease: Duration) -> Scene {
    let (tell, told) = mpsc::unbounded_channel();
    let open = Arc::new(Notify::new());
    let app = App { open: Arc::clone(&open), told: tell };
    let builder = Worker::builder().client(client.clone()).tasks(pgq::tasks![hold]).resources(app).lease(lease);
    Scene { worker: builder.spawn().await.unwrap(), open, told }
}

impl Scene {
    async fn running(&mut self) -> JobId {
        let told = tokio::time::timeout(Duration::from_secs(30), self.told.recv()).await;
        told.expect("a job runs").expect("the worker lives")
    }
}

/// Polled, because a database tells nobody that a job has ended.
async fn until(client: &Client, id: JobId, state: State) {
    let reached = async {
        while !matches!(client.get(id).await, Ok(Some(job)) if job.state == state) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), reached).await.expect("the state is reached");
}

async fn terminate_all(pool: &PgPool) {
    let others = "select pg_terminate_backend(pid) from pg_stat_activity
                  where datname = current_database() and pid <> pg_backend_pid()";
    sqlx::query(others).execute(pool).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_that_are_known_are_written_when_connections_come_back() {
    let database: Database = crate::world::installed().await;
    let client = Client::connect(database.url()).await.unwrap();
    let admin = PgPool::connect_with(database.options()).await.unwrap();
    let mut scene = scene(&client, Duration::from_secs(15)).await;
    for _ in 0..3 {
        let id = hold::enqueue(&client, ()).await.unwrap().id();
        assert_eq!(scene.running().await, id);
        terminate_all(&admin).await;
        scene.open.notify_one();
        until(&client, id, State::Completed).await;
        assert_eq!(client.get(id).await.unwrap().unwrap().attempt, 1, "it ran once");
    }
    scene.worker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_away_for_longer_than_a_lease_kills_no_worker() {
    let server = Server::start(Options::default()).unwrap();
    let client = Client::connect(&server.url()).await.unwrap();
    client.migrate().await.unwrap();
    let (mut first, mut second) = (scene(&client, LEASE).await, scene(&client, LEASE).await);
    let ids = [hold::enqueue(&client, ()).await.unwrap().id(), hold::enqueue(&client, ()).await.unwrap().id()];
    let started = tokio::time::timeout(Duration::from_secs(30), async {
        for _ in 0..2 {
            tokio::select! {
                _ = first.told.recv() => {}
                _ = second.told.recv() => {}
            }
        }
    });
    started.await.expect("both run");
    server.stop().unwrap();
    // This is the outage itself: it has to be longer than a lease.
    tokio::time::sleep(LEASE + LEASE / 3).await;
    server.restart().unwrap();
    for open in [&first.open, &second.open] {
        open.notify_one();
        open.notify_one();
    }
    for id in ids {
        until(&client, id, State::Completed).await;
        let job = client.get(id).await.unwrap().unwrap();
        assert_eq!((job.attempt, job.crashes), (1, 0));
    }
    first.worker.stop().await.unwrap();
    second.worker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_kills_no_worker_and_loses_no_job() {
    let primary = Server::start(Options::default()).unwrap();
    let proxy = Proxy::to(primary.url().parse().unwrap()).await.unwrap();
    let client = Client::from_pool(PgPool::connect_with(proxy.options()).await.unwrap()).unwrap();
    client.migrate().await.unwrap();
    let standby = primary.standby().unwrap();
    let mut scene = scene(&client, LEASE).await;
    // Somebody who could declare it gone.
    let other = Worker::<()>::builder().client(client.clone()).tasks(pgq::tasks![rest]).lease(LEASE).spawn();
    let other = other.await.unwrap();
    let id = hold::enqueue(&client, ()).await.unwrap().id();
    assert_eq!(scene.running().await, id);
    has_all(&primary, &standby).await;
    primary.kill().unwrap();
    proxy.lead_to(standby.url().parse().unwrap());
    // The failover itself: it takes longer than a lease, and meanwhile the standby refuses what writes.
    tokio::time::sleep(LEASE + LEASE / 3).await;
    let promoter = PgPool::connect(&standby.url()).await.unwrap();
    sqlx::query("select pg_promote()").execute(&promoter).await.unwrap();
    let later = hold::enqueue(&client, ()).await.unwrap().id();
    assert_eq!(scene.running().await, later);
    for id in [id, later] {
        scene.open.notify_one();
        until(&client, id, State::Completed).await;
        let job = client.get(id).await.unwrap().unwrap();
        assert_eq!((job.attempt, job.crashes), (1, 0));
    }
    scene.worker.stop().await.unwrap();
    other.stop().await.unwrap();
}

/// Until a standby has applied what its primary has written.
async fn has_all(primary: &Server, standby: &Server) {
    let (primary, standby) =
        (PgPool::connect(&primary.url()).await.unwrap(), PgPool::connect(&standby.url()).await.unwrap());
    let written: String =
        sqlx::query_scalar("select pg_current_wal_insert_lsn()::text").fetch_one(&primary).await.unwrap();
    let applied = "select pg_last_wal_replay_lsn() >= $1::text::pg_lsn";
    while !sqlx::query_scalar::<_, bool>(applied).bind(&written).fetch_one(&standby).await.unwrap() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_whose_links_are_dead_but_open_comes_back_by_itself() {
    let database = crate::world::installed().await;
    let proxy = Proxy::to(database.options()).await.unwrap();
    let direct = Client::from_pool(database.pool().await.unwrap()).unwrap();
    let through = Client::from_pool(PgPool::connect_with(proxy.options()).await.unwrap()).unwrap();
    let mut scene = scene(&through, Duration::from_secs(2)).await;
    let held = hold::enqueue(&direct, ()).await.unwrap().id();
    assert_eq!(scene.running().await, held);
    proxy.freeze();
    let later = hold::enqueue(&direct, ()).await.unwrap().id();
    assert_eq!(scene.running().await, later);
    for id in [held, later] {
        scene.open.notify_one();
        until(&direct, id, State::Completed).await;
    }
    assert_eq!(direct.get(held).await.unwrap().unwrap().epoch, 1, "it kept its lease meanwhile");
    scene.worker.stop().await.unwrap();
}

/// How to reach a server by connections that break when a test says so.
async fn breakable(server: PgConnectOptions) -> (PgConnectOptions, Arc<Notify>) {
    let (listener, options) = listen(&server).await.unwrap();
    let broken = Arc::new(Notify::new());
    let breaks = Arc::clone(&broken);
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let (mut far, breaks) = (connect(&server).await.unwrap(), Arc::clone(&breaks));
            tokio::spawn(async move {
                tokio::select! {
                    _ = copy_bidirectional(&mut near, &mut far) => {}
                    () = breaks.notified() => {}
                }
            });
        }
    });
    (options, broken)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_whose_connection_breaks_while_it_begins_begins_all_the_same() {
    let world = World::postgres().await;
    let (options, broken) = breakable(world.database.as_ref().unwrap().options()).await;
    let through = Client::from_pool(PgPool::connect_with(options).await.unwrap()).unwrap();
    let mut held = world.client.pool().unwrap().begin().await.unwrap();
    held.execute("lock table pgq.worker in access exclusive mode").await.unwrap();
    let beginning = tokio::spawn(Worker::<()>::builder().client(through).tasks(pgq::tasks![rest]).spawn());
    until_waits(&world, "").await;
    broken.notify_waiters();
    held.rollback().await.unwrap();
    beginning.await.unwrap().unwrap().stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_to_end_when_it_can_hear_nothing_does() {
    let database = crate::world::installed().await;
    let pool = database.pool().await.unwrap();
    let client = Client::from_pool(pool.clone()).unwrap();
    let builder = Worker::<()>::builder().client(client).tasks(pgq::tasks![rest]);
    let mut worker = builder.shutdown_on_listener_failure().spawn().await.unwrap();
    let cut = "select pg_terminate_backend(pid) from pg_stat_activity
               where datname = current_database() and pid <> pg_backend_pid()";
    // Who sleeps listens.
    let asleep = "select count(*) from pgq.sleeper where asleep";
    while sqlx::query_scalar::<_, i64>(asleep).fetch_one(&pool).await.unwrap() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sqlx::query(cut).execute(&pool).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(20), worker.ended()).await.expect("it ends");
    let error = ended.unwrap_err();
    assert!(error.is_interrupted() && error.to_string().contains("couldn't be heard of"), "{error}");
}

#[pgq::task]
async fn rest() -> std::result::Result<(), pgq::BoxError> {
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_whose_sessions_began_while_the_database_only_read_comes_back() {
    let database = crate::world::installed().await;
    let client = Client::builder().unwrap().pool(database.pool().await.unwrap());
    let mut scene = scene(&client, LEASE).await;
    let mut own = PgConnection::connect_with(&database.options()).await.unwrap();
    let says = |rule: &str| format!("alter database \"{}\" {rule}", database.name());
    own.execute(sqlx::AssertSqlSafe(says("set default_transaction_read_only = on"))).await.unwrap();
    let others = "select pg_terminate_backend(pid) from pg_stat_activity
                  where datname = current_database() and pid <> pg_backend_pid()";
    own.execute(others).await.unwrap();
    let fresh = "select count(*) from pg_stat_activity
                 where datname = current_database() and pid <> pg_backend_pid() and application_name like 'pgq worker%'";
    let back = async {
        while sqlx::query_scalar::<_, i64>(fresh).fetch_one(&mut own).await.unwrap() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), back).await.expect("it connects");
    own.execute(sqlx::AssertSqlSafe(says("reset default_transaction_read_only"))).await.unwrap();
    let writing = Client::builder().unwrap().pool(database.pool().await.unwrap());
    let id = hold::enqueue(&writing, ()).await.unwrap().id();
    assert_eq!(scene.running().await, id);
    scene.open.notify_one();
    until(&writing, id, State::Completed).await;
    scene.worker.stop().await.unwrap();
}

#[tokio::test]
async fn a_program_tells_once_that_the_database_is_away_and_once_that_it_is_back() {
    let server = Server::start(Options::default()).unwrap();
    Client::connect(&server.url()).await.unwrap().migrate().await.unwrap();
    let flags = ["--database-url", &server.url(), "--tasks", "wait"];
    let mut worker = Running::start(program(WORKER, &flags).env("TEST_LOG", "1"));
    let begun = worker.says("this worker has begun").await;
    assert!(begun.starts_with("INFO") && begun.contains("worker=") && begun.contains("lease="), "{begun}");
    server.stop().unwrap();
    let away = worker.says("the database is away").await;
    assert!(away.starts_with("WARN") && away.contains("error="), "{away}");
    // Until every service knows of it.
    tokio::time::sleep(Duration::from_secs(2)).await;
    server.restart().unwrap();
    let mut between = Vec::new();
    let back = loop {
        let line = worker.complaint().await;
        if line.contains("the database is back after ") {
            break line;
        }
        between.push(line);
    };
    assert!(back.starts_with("INFO"), "{back}");
    // For each other reason one more: the server ends, and then it isn't there.
    assert!(between.len() <= 3 && between.iter().all(|line| line.contains("is still away")), "{between:?}");
    worker.signal("TERM").await;
    let (code, said) = worker.ending().await;
    assert!(code == 0 && !said.contains("away"), "{said}");
}

#[tokio::test]
async fn a_program_that_has_nothing_to_write_ends_well_while_its_database_is_away() {
    let server = Server::start(Options::default()).unwrap();
    Client::connect(&server.url()).await.unwrap().migrate().await.unwrap();
    let flags = ["--database-url", &server.url(), "--tasks", "wait", "--drain-timeout", "1s"];
    let mut worker = Running::start(program(WORKER, &flags).env("TEST_LOG", "1"));
    worker.says("this worker has begun").await;
    server.stop().unwrap();
    worker.says("the database is away").await;
    let asked = std::time::Instant::now();
    worker.signal("TERM").await;
    let (code, said) = worker.ending().await;
    assert!(code == 0 && said.contains("this worker couldn't say that it leaves"), "{said}");
    // It takes about five; how busy the machine is counts too.
    assert!(asked.elapsed() < Duration::from_secs(12), "{:?}: {said}", asked.elapsed());
}

#[tokio::test]
async fn a_program_that_can_not_write_an_end_says_so_and_ends_with_1() {
    let server = Server::start(Options::default()).unwrap();
    let client = Client::connect(&server.url()).await.unwrap();
    client.migrate().await.unwrap();
    let flags = ["--database-url", &server.url(), "--tasks", "wait", "--drain-timeout", "1s"];
    let mut worker = Running::start(program(WORKER, &flags).env("TEST_LOG", "1"));
    put_in(client.pool().unwrap(), "wait").await;
    assert_eq!(worker.line().await, "waiting");
    server.stop().unwrap();
    worker.says("the database is away").await;
    worker.signal("TERM").await;
    assert_eq!(worker.line().await, "told to end");
    let (code, said) = worker.ending().await;
    assert!(
        code == 1 && said.contains("the last ends could not be written: their jobs will run again (1: 1)"),
        "{said}"
    );
}
