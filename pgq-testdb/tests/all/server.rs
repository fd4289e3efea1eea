use pgq_testdb::{Options, Server};
use sqlx::{Connection, PgConnection};

use crate::Outcome;

async fn setting(server: &Server, name: &str) -> sqlx::Result<String> {
    let mut connection = PgConnection::connect(&server.url()).await?;
    sqlx::query_scalar("select current_setting($1)").bind(name).fetch_one(&mut connection).await
}

#[tokio::test]
async fn the_default_is_fast_and_fsync_is_durable() -> Outcome {
    for (fsync, expected) in [(false, "off"), (true, "on")] {
        let server = Server::start(Options::default().fsync(fsync))?;
        for name in ["fsync", "synchronous_commit", "full_page_writes"] {
            assert_eq!(setting(&server, name).await?, expected, "{name}");
        }
        assert_eq!(setting(&server, "listen_addresses").await?, "");
    }
    Ok(())
}

#[tokio::test]
async fn own_settings_win() -> Outcome {
    let options =
        Options::default().setting("max_connections", "20").setting("port", "6000").setting("work_mem", "1MB");
    let server = Server::start(options)?;
    assert_eq!(setting(&server, "max_connections").await?, "20");
    assert_eq!(setting(&server, "work_mem").await?, "1MB");
    Ok(())
}

#[tokio::test]
async fn a_killed_server_recovers_what_was_committed() -> Outcome {
    let server = Server::start(Options::default().fsync(true))?;
    let mut committed = PgConnection::connect(&server.url()).await?;
    sqlx::raw_sql("create table t (id int); insert into t values (1)").execute(&mut committed).await?;
    let mut open = PgConnection::connect(&server.url()).await?;
    sqlx::raw_sql("begin; insert into t values (2)").execute(&mut open).await?;

    server.kill()?;
    assert!(committed.ping().await.is_err());
    assert!(PgConnection::connect(&server.url()).await.is_err());

    server.restart()?;
    let mut again = PgConnection::connect(&server.url()).await?;
    let ids: Vec<i32> = sqlx::query_scalar("select id from t").fetch_all(&mut again).await?;
    assert_eq!(ids, [1]);
    let log = std::fs::read_to_string(server.log_file())?;
    assert!(log.contains("automatic recovery in progress"), "{log}");
    Ok(())
}

#[tokio::test]
async fn a_kill_ends_a_busy_session_at_once() -> Outcome {
    let server = Server::start(Options::default())?;
    let mut busy = PgConnection::connect(&server.url()).await?;
    // A session that computes notices nothing by itself.
    let computing =
        tokio::spawn(async move { sqlx::raw_sql("do $$ begin loop null; end loop; end $$").execute(&mut busy).await });
    let mut watcher = PgConnection::connect(&server.url()).await?;
    let sql = "select count(*) from pg_stat_activity where state = 'active' and query like 'do %'";
    while sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut watcher).await? == 0 {}
    server.kill()?;
    server.restart()?;
    assert!(computing.await?.is_err());
    Ok(())
}

#[tokio::test]
async fn a_stopped_server_starts_again_with_its_data() -> Outcome {
    let server = Server::start(Options::default())?;
    let mut connection = PgConnection::connect(&server.url()).await?;
    sqlx::raw_sql("create table t ()").execute(&mut connection).await?;
    server.stop()?;
    server.stop()?;
    assert!(PgConnection::connect(&server.url()).await.is_err());
    server.restart()?;
    sqlx::raw_sql("select from t").execute(&mut PgConnection::connect(&server.url()).await?).await?;
    Ok(())
}

#[tokio::test]
async fn a_standby_has_what_was_committed_and_takes_over() -> Outcome {
    let server = Server::start(Options::default().fsync(true))?;
    let standby = server.standby()?;
    let mut primary = PgConnection::connect(&server.url()).await?;
    for sql in ["alter system set synchronous_standby_names = '*'", "select pg_reload_conf()"] {
        sqlx::raw_sql(sql).execute(&mut primary).await?;
    }
    let waits = "select count(*) from pg_stat_replication where sync_state = 'sync'";
    while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut primary).await? == 0 {}
    sqlx::raw_sql("create table t (id int); insert into t values (1)").execute(&mut primary).await?;
    server.kill()?;
    let mut connection = PgConnection::connect(&standby.url()).await?;
    assert!(sqlx::raw_sql("insert into t values (2)").execute(&mut connection).await.is_err(), "it only follows");
    sqlx::raw_sql("select pg_promote()").execute(&mut connection).await?;
    sqlx::raw_sql("insert into t values (2)").execute(&mut connection).await?;
    let ids: Vec<i32> = sqlx::query_scalar("select id from t order by id").fetch_all(&mut connection).await?;
    assert_eq!(ids, [1, 2]);
    Ok(())
}

#[test]
fn a_server_that_does_not_start_says_why_and_leaves_nothing() -> Outcome {
    // Beside a server that started: not every temporary directory is open to the server's user.
    let good = Server::start(Options::default())?;
    let place = good.data_directory().ancestors().nth(2).ok_or("no parent")?.to_owned();
    let parent = place.join(format!("pgq-bad-{}", std::process::id()));
    std::fs::create_dir(&parent)?;
    let options = Options::default().directory(&parent).setting("no_such_setting", "1");
    let message = Server::start(options).err().ok_or("expected an error")?.to_string();
    assert!(message.contains(r#"unrecognized configuration parameter "no_such_setting""#), "{message}");
    // Fails if anything is in it.
    std::fs::remove_dir(&parent)?;
    Ok(())
}
