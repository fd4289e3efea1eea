//! A server that has no connection to give.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgq::backend::{Lease, Notice, Pulse, Registration, Session, Uuid};
use pgq::sqlx::{AssertSqlSafe, Executor, PgPool};
use pgq::testing::stepper;
use pgq::{Client, State, Tx, Worker};
use pgq_testdb::Database;
use tokio::process::Command;

use crate::log::Log;
use crate::program::{Running, WORKER, program};
use crate::world::{SPAN, installed, notice, want};

#[pgq::task]
async fn linger() -> Result<(), pgq::BoxError> {
    Ok(())
}

#[pgq::task(unique = "key")]
async fn linger_alone() -> Result<(), pgq::BoxError> {
    Ok(())
}

#[pgq::task]
async fn hand_over(tx: &Tx) -> Result<(), pgq::BoxError> {
    linger::enqueue(tx, ()).await?;
    Ok(())
}

/// Long before the half minute for which a pool tries to connect.
const SOON: Duration = Duration::from_secs(10);

/// A role of its own, which may have no connection until it is let in.
struct Limited {
    owner: PgPool,
    name: String,
    client: Client,
}

impl Limited {
    async fn of(database: &Database) -> Self {
        let owner = database.pool().await.unwrap();
        let name = format!("{}_limited", database.name());
        let create = format!(
            "create role \"{name}\" login password 's3cret';
             grant usage on schema pgq to \"{name}\";
             grant select, insert, update, delete on all tables in schema pgq to \"{name}\""
        );
        pgq::sqlx::raw_sql(AssertSqlSafe(create)).execute(&owner).await.unwrap();
        let options = database.options().username(&name).password("s3cret");
        Self { owner, name, client: Client::from_pool(PgPool::connect_lazy_with(options)).unwrap() }
    }

    /// A worker program in its name, which logs to standard error.
    fn program(&self) -> Command {
        let options = self.client.pool().unwrap().connect_options();
        let host = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => options.get_host().to_owned(),
        };
        let mut command = program(WORKER, &["--tasks", "greet"]);
        command.env("PGHOST", host).env("PGPORT", options.get_port().to_string()).env("PGSSLMODE", "disable");
        command.env("PGUSER", &self.name).env("PGPASSWORD", "s3cret").env("TEST_LOG", "1");
        command.env("PGDATABASE", options.get_database().unwrap());
        command
    }

    /// How such a program ends.
    async fn ending(&self, flags: &[&str]) -> (i32, String) {
        let mut program = self.program();
        let output = tokio::time::timeout(Duration::from_mins(1), program.args(flags).output()).await;
        let output = output.expect("it ends").unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    async fn may_have(&self, connections: i32) {
        let limit = format!("alter role \"{}\" connection limit {connections}", self.name);
        self.owner.execute(AssertSqlSafe(limit)).await.unwrap();
    }

    /// Its connections end.
    async fn cut(&self) {
        let cut = pgq::sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where usename = $1");
        cut.bind(&self.name).execute(&self.owner).await.unwrap();
    }

    async fn remove(self) {
        self.cut().await;
        let drop = format!("drop owned by \"{0}\"; drop role \"{0}\"", self.name);
        pgq::sqlx::raw_sql(AssertSqlSafe(drop)).execute(&self.owner).await.unwrap();
    }
}

/// What is logged of something. Polled, as a log tells nobody of its lines.
async fn told(log: &Log, words: &str) -> String {
    let told = async {
        loop {
            match log.about(words).pop() {
                Some(line) => break line,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(40), told).await.expect("it is told")
}

#[tokio::test]
async fn a_worker_waits_until_the_server_has_a_connection_for_it() {
    let database = installed().await;
    let limited = Limited::of(&database).await;
    limited.may_have(0).await;
    let log = Log::default();
    let _listening = tracing::subscriber::set_default(log.clone());
    let spawn = Worker::<()>::builder().client(limited.client.clone()).tasks(pgq::tasks![linger]).spawn();
    let let_in = async {
        let line = told(&log, "can't begin yet").await;
        limited.may_have(-1).await;
        line
    };
    let (worker, line) = tokio::join!(spawn, let_in);
    assert!(line.contains("too many connections") && !line.contains("s3cret"), "{line}");
    worker.unwrap().stop().await.unwrap();
    limited.client.pool().unwrap().close().await;
    limited.remove().await;
}

#[tokio::test]
async fn a_running_worker_says_why_it_has_no_connection() {
    let database = installed().await;
    let limited = Limited::of(&database).await;
    let mut worker = Running::start(&mut limited.program());
    worker.says("this worker has begun").await;
    limited.may_have(0).await;
    limited.cut().await;
    let line = worker.says("too many connections").await;
    assert!(line.contains("away") && line.contains("can't be reached as") && !line.contains("s3cret"), "{line}");
    limited.may_have(-1).await;
    let line = worker.says("the database is back").await;
    assert!(line.starts_with("INFO"), "{line}");
    worker.signal("TERM").await;
    assert_eq!(worker.ending().await.0, 0);
    limited.remove().await;
}

#[tokio::test]
async fn a_worker_has_three_connections_beside_its_pool() {
    let database = installed().await;
    let limited = Limited::of(&database).await;
    limited.may_have(4).await;
    let (code, said) = limited.ending(&["--drain"]).await;
    // Whoever ends cuts off what it waits for, and the server lets go of that connection a moment later.
    let runs = said.split("this worker ends").next().unwrap();
    assert!(code == 0 && runs.len() < said.len() && !runs.contains("WARN"), "{said}");
    // Without room for all of them it doesn't begin.
    for connections in [3, 2, 1] {
        limited.may_have(connections).await;
        let mut worker = Running::start(&mut limited.program());
        let line = worker.says("this worker").await;
        assert!(line.contains("can't begin yet") && line.contains("too many connections for role"), "{line}");
        worker.signal("TERM").await;
        assert_eq!(worker.ending().await.0, 0);
    }
    limited.remove().await;
}

#[tokio::test]
async fn a_server_that_stays_full_or_only_reads_ends_a_program_with_4_after_half_a_minute() {
    let (full, reading) = (installed().await, installed().await);
    let limited = [Limited::of(&full).await, Limited::of(&reading).await];
    limited[0].may_have(0).await;
    let only_read = format!("alter role \"{}\" set default_transaction_read_only = on", limited[1].name);
    limited[1].owner.execute(AssertSqlSafe(only_read)).await.unwrap();
    let endings = tokio::join!(limited[0].ending(&[]), limited[1].ending(&[]));
    for ((code, said), why) in
        [(endings.0, "too many connections"), (endings.1, "cannot execute SELECT in a read-only transaction")]
    {
        assert_eq!(code, 4, "{said}");
        let last = said.lines().skip_while(|line| !line.starts_with("pgq: ")).collect::<Vec<_>>().join(" ");
        assert!(said.contains("can't begin yet") && last.contains(why), "{said}");
    }
    for limited in limited {
        limited.remove().await;
    }
}

#[tokio::test]
async fn a_program_that_restarts_waits_for_a_server_that_is_full_or_only_reads() {
    let database = installed().await;
    let limited = Limited::of(&database).await;
    limited.may_have(0).await;
    let mut worker = Running::start(limited.program().arg("--restart"));
    assert!(worker.says("can't begin yet").await.contains("restarts=true"));
    let only_read = format!("alter role \"{}\" set default_transaction_read_only = on", limited.name);
    limited.owner.execute(AssertSqlSafe(only_read)).await.unwrap();
    limited.may_have(-1).await;
    worker.says("read-only transaction").await;
    let write = format!("alter role \"{}\" reset default_transaction_read_only", limited.name);
    limited.owner.execute(AssertSqlSafe(write)).await.unwrap();
    limited.cut().await;
    worker.says("this worker has begun").await;
    worker.signal("TERM").await;
    assert_eq!(worker.ending().await.0, 0);
    limited.remove().await;
}

/// Asleep until somebody wakes it for what lingers, by a client that has its connections already.
async fn sleeper(client: &Client) -> (Arc<dyn Session>, Box<dyn Pulse>) {
    let (instance, host) = (Uuid::nil(), "test".to_owned());
    let wants = vec![want("default", "linger", 9), want("default", "linger_alone", 9)];
    let (lease, tasks) = (Lease(7), Vec::new());
    let worker = Registration { lease, instance, host, pid: 1, span: SPAN, synchronous_commit: false, wants, tasks };
    let session = client.backend().register(worker).await.unwrap();
    let pulse = session.attend().await.unwrap();
    session.doze(Some(Duration::from_mins(5))).await.unwrap();
    (session, pulse)
}

#[tokio::test]
async fn an_enqueue_that_stands_waits_for_no_other_connection_and_wakes_who_sleeps() {
    let database = installed().await;
    let limited = Limited::of(&database).await;
    let client = &limited.client;
    let (_session, mut pulse) = sleeper(&Client::from_pool(limited.owner.clone()).unwrap()).await;
    let tx = client.begin().await.unwrap();
    limited.may_have(1).await;
    let began = Instant::now();
    linger::enqueue(&tx, ()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(notice(&mut pulse).await, Notice { work: true, soon: false, told: false, limits: false });
    // Otherwise it is still on its way back, and another one isn't to be had.
    while client.pool().unwrap().num_idle() == 0 {
        tokio::task::yield_now().await;
    }
    linger_alone::enqueue(client, ()).await.unwrap();
    assert_eq!(notice(&mut pulse).await, Notice { work: true, soon: false, told: false, limits: false });
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    limited.remove().await;
}

#[tokio::test]
async fn an_end_in_the_attempts_transaction_waits_for_no_other_connection() {
    let database = installed().await;
    let limited = Limited::of(&database).await;
    let client = &limited.client;
    let mut worker = stepper(client, pgq::tasks![hand_over], ()).await.unwrap();
    hand_over::enqueue(client, ()).await.unwrap();
    assert_eq!(worker.drain().await.unwrap(), 1);
    let id = hand_over::enqueue(client, ()).await.unwrap().id();
    limited.may_have(1).await;
    // Otherwise it is still on its way back, and another one isn't to be had.
    while client.pool().unwrap().num_idle() == 0 {
        tokio::task::yield_now().await;
    }
    let began = Instant::now();
    assert_eq!(worker.drain().await.unwrap(), 1);
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    let owner = Client::from_pool(limited.owner.clone()).unwrap();
    assert_eq!(owner.get(id).await.unwrap().unwrap().state, State::Completed);
    drop(worker);
    limited.remove().await;
}
