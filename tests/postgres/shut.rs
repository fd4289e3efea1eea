//! A server that stops admitting the role of a running worker, or takes a right away from it.

use std::fs;
use std::time::Duration;

use pgq::sqlx::{self, AssertSqlSafe, Executor};
use pgq::{Client, State};
use pgq_testdb::{Options, Server};

use crate::log::Log;
use crate::program::{Running, WORKER, assert_says, ending, program, put_in};
use crate::world::World;

const BARRED: &str = "is not permitted to log in";

const CUT: &str = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'";

/// A server with pgq's tables, and a role that may use them.
struct Inn {
    server: Server,
    owner: Client,
}

impl Inn {
    async fn open() -> Self {
        let server = Server::start(Options::default()).unwrap();
        let owner = Client::connect(&server.url()).await.unwrap();
        owner.migrate().await.unwrap();
        let inn = Self { server, owner };
        inn.says("create role app login; grant usage on schema pgq to app").await;
        inn.says("grant select, insert, update, delete on all tables in schema pgq to app").await;
        inn
    }

    async fn says(&self, statements: &str) {
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(self.owner.pool().unwrap()).await.unwrap();
    }

    /// Until the server has said something so often. Polled, as a log tells nobody of its lines.
    async fn has_said(&self, words: &str, times: usize) {
        let said = async {
            while fs::read_to_string(self.server.log_file()).unwrap().matches(words).count() < times {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), said).await.unwrap_or_else(|_| panic!("{words}"));
    }

    fn program(&self, flags: &[&str]) -> tokio::process::Command {
        let url = self.server.url().replace("postgres@", "app@");
        let flags: Vec<&str> =
            ["--database-url", &url, "--tasks", "wait"].into_iter().chain(flags.iter().copied()).collect();
        let mut program = program(WORKER, &flags);
        program.env("TEST_LOG", "1");
        program
    }
}

/// What a program says until it says this, which is said too.
async fn between(worker: &mut Running, last: &str) -> (Vec<String>, String) {
    let mut said = Vec::new();
    loop {
        let line = worker.complaint().await;
        if line.contains(last) {
            return (said, line);
        }
        said.push(line);
    }
}

#[tokio::test]
async fn a_program_whose_role_is_not_let_in_says_so_by_one_voice_until_it_is() {
    let inn = Inn::open().await;
    let mut worker = Running::start(&mut inn.program(&[]));
    worker.says("this worker has begun").await;
    inn.says("alter role app nologin").await;
    inn.says(CUT).await;
    let mut said = vec![worker.says("the database is away").await];
    if !said[0].contains(BARRED) {
        // It ends connections, and lets nobody in.
        let (still, barred) = between(&mut worker, BARRED).await;
        said.extend(still.into_iter().chain([barred]));
    }
    // Until every service has tried a few times.
    inn.has_said(BARRED, 20).await;
    inn.says("alter role app login").await;
    let (still, _) = between(&mut worker, "the database is back after ").await;
    said.extend(still);
    assert!(said[1..].iter().all(|line| line.contains("is still away")) && said.len() <= 3, "{said:?}");
    let why = |line: &String| line.contains("can't be reached as `app`") && line.contains(BARRED);
    assert!(said.iter().any(why), "{said:?}");
    worker.signal("TERM").await;
    assert_eq!(worker.ending().await.0, 0);
}

#[tokio::test]
async fn a_program_that_begins_anew_and_is_not_let_in_ends_with_4() {
    let inn = Inn::open().await;
    let mut worker = Running::start(&mut inn.program(&["--shutdown-on-listener-failure", "--restart"]));
    worker.says("this worker has begun").await;
    inn.says("alter role app nologin").await;
    inn.says(CUT).await;
    let (code, said) = worker.ending().await;
    assert!(code == 4 && said.contains("not permitted to log in"), "{code}: {said}");
}

#[tokio::test]
async fn a_program_that_lacks_a_right_says_which_ones_it_takes() {
    let inn = Inn::open().await;
    inn.says("revoke all on all tables in schema pgq from app; revoke usage on schema pgq from app").await;
    let refused = ending(inn.program(&[]).env_remove("TEST_LOG")).await;
    assert_says(&refused, 1, &["grant usage on schema pgq", "delete on all tables in schema pgq", "permission denied"]);
    assert_eq!(refused.1.matches("permission denied").count(), 1, "{}", refused.1);
}

#[tokio::test]
async fn a_program_whose_right_is_taken_says_so_by_one_voice_and_loses_no_job() {
    let inn = Inn::open().await;
    let mut worker = Running::start(&mut inn.program(&[]));
    worker.says("this worker has begun").await;
    put_in(inn.owner.pool().unwrap(), "wait").await;
    assert_eq!(worker.line().await, "waiting");
    inn.says("revoke update on pgq.job from app").await;
    let first = worker.says("the database denies a right").await;
    assert!(first.contains("permission denied for table job"), "{first}");
    inn.has_said("permission denied for table job", 6).await;
    inn.says("grant update on pgq.job to app").await;
    let (said, _) = between(&mut worker, "the database denies no right any more").await;
    assert!(said.is_empty(), "{said:?}");
    worker.signal("TERM").await;
    assert_eq!(worker.ending().await.0, 0);
    assert_eq!(inn.owner.jobs().state(State::Discarded).count().await.unwrap().jobs, 0);
}

#[tokio::test]
async fn a_statement_that_is_refused_where_there_is_no_row_blames_none() {
    let log = Log::default();
    let _listening = log.listen();
    let world = World::postgres().await;
    let session = world.session(&["a"]).await.unwrap();
    world.client.pool().unwrap().execute("alter table pgq.history rename to other").await.unwrap();
    let refused = session.expire(10).await.unwrap_err();
    assert!(refused.is_schema(), "{refused:?}");
    assert_eq!(log.about("it is tried again now and then"), [""; 0]);
}
