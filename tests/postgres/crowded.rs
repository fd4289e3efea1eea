//! A server that has no connection to give.

use std::time::Duration;

use pgq::sqlx::{AssertSqlSafe, Executor, PgPool};
use pgq::{Client, Worker};
use pgq_testdb::Database;
use tokio::process::Command;

use crate::log::Log;
use crate::program::{Running, WORKER, program};
use crate::world::installed;

#[pgq::task]
async fn linger() -> Result<(), pgq::BoxError> {
    Ok(())
}

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
