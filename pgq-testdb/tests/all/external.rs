use std::process::Command;

use pgq_testdb::{Database, Options, Server, Template};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::{
    Outcome,
    child::{self, Holding},
};

async fn databases(server: &Server) -> sqlx::Result<Vec<String>> {
    let mut connection = PgConnection::connect(&server.url()).await?;
    let sql = "select datname::text from pg_database where datname not in ('postgres', 'template0', 'template1')";
    sqlx::query_scalar(sql).fetch_all(&mut connection).await
}

async fn execute(server: &Server, sql: &str) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(&server.url()).await?;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.map(drop)
}

fn child_on(server: &Server, test: &str) -> std::io::Result<Command> {
    let mut command = child::command(test)?;
    command.env("PGQ_TEST_DATABASE_URL", server.url());
    Ok(command)
}

#[tokio::test]
async fn an_external_server_gets_databases_and_keeps_none() -> Outcome {
    if child::is_child() {
        let template = Template::new();
        let db =
            template.database(async |pool| sqlx::raw_sql("create table t ()").execute(&pool).await.map(drop)).await?;
        sqlx::raw_sql("select from t").execute(&db.pool().await?).await?;
        child::say(&format!("{} {}", db.url(), Database::create().await?.name()));
        return Ok(());
    }
    let server = Server::start(Options::default())?;
    // A role as one has it on somebody else's server.
    execute(&server, "create role tester login createdb").await?;
    let url = server.url().replace("postgres@", "tester@");
    let test = "external::an_external_server_gets_databases_and_keeps_none";
    let said = child::output(child_on(&server, test)?.env("PGQ_TEST_DATABASE_URL", &url))?;
    let (server_of_url, _) = url.split_once("/postgres?").ok_or("expected a database")?;
    assert!(said.starts_with(server_of_url), "{said}");
    assert_eq!(databases(&server).await?, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn the_first_use_sweeps_what_killed_processes_left_and_nothing_else() -> Outcome {
    let test = "external::the_first_use_sweeps_what_killed_processes_left_and_nothing_else";
    if child::is_child() {
        let db = Database::create().await?;
        child::say_and_hold(db.name());
        return Ok(());
    }
    let server = Server::start(Options::default())?;
    let mut killed = Holding::start(&mut child_on(&server, test)?)?;
    let alive = Holding::start(&mut child_on(&server, test)?)?;
    killed.kill()?;
    // Another host's, and a name that only looks like ours.
    let elsewhere = format!("{}_x", killed.said).replace("pgq_test_", "pgq_test_f");
    for foreign in [elsewhere.as_str(), "pgq_test_mine"] {
        execute(&server, &format!("create database {foreign}")).await?;
    }
    assert!(databases(&server).await?.contains(&killed.said));

    let sweeper = Holding::start(&mut child_on(&server, test)?)?;
    let mut left = databases(&server).await?;
    let mut expected = vec![alive.said.clone(), sweeper.said.clone(), elsewhere, "pgq_test_mine".to_owned()];
    left.sort();
    expected.sort();
    assert_eq!(left, expected);
    Ok(())
}
