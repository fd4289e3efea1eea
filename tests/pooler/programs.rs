//! A whole program through PgBouncer, which it knows of by a flag or a variable.

use std::collections::BTreeSet;

use pgq::{Client, State};
use pgq_testdb::Database;

use super::bouncer;
use crate::program::{Running, WORKER, program};

/// Runs what its resources put in when they are made, on every target, and stops.
async fn runs(database: &Database, flags: &[&str], variables: &[(&str, &str)]) {
    let url = bouncer::url(database);
    let mut command = program(WORKER, &[&["--database-url", &url, "--tasks", "greet", "--drain"], flags].concat());
    command.env("TEST_BARE_TARGETS", "1").envs(variables.iter().copied());
    let mut worker = Running::start(&mut command);
    let mut greeted = BTreeSet::new();
    for _ in 0..31 {
        greeted.insert(worker.line().await);
    }
    let (code, said) = worker.ending().await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("schema pgq, poll-only"), "{said}");
    let client = Client::connect(database.url()).await.unwrap();
    assert_eq!(client.jobs().state(State::Completed).count().await.unwrap().jobs, 31);
    assert_eq!(greeted.len(), 31, "{greeted:?}");
}

#[tokio::test]
async fn a_program_that_is_told_installs_its_tables_and_runs() {
    let database = Database::create().await.unwrap();
    runs(&database, &["--poll-only", "--migrate"], &[]).await;
}

#[tokio::test]
async fn a_variable_tells_it_too() {
    let database = Database::create().await.unwrap();
    runs(&database, &["--migrate"], &[("PGQ_POLL_ONLY", "1")]).await;
}
