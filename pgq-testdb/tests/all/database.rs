use pgq_testdb::Database;
use sqlx::{Connection, PgConnection};

use crate::Outcome;

async fn relations(db: &Database) -> Result<i64, Box<dyn std::error::Error>> {
    let sql = "select count(*) from pg_class where relnamespace = 'public'::regnamespace";
    Ok(sqlx::query_scalar(sql).fetch_one(&db.pool().await?).await?)
}

async fn exists(name: &str, on: &Database) -> Result<bool, Box<dyn std::error::Error>> {
    let sql = "select exists (select from pg_database where datname = $1)";
    Ok(sqlx::query_scalar(sql).bind(name).fetch_one(&on.pool().await?).await?)
}

#[tokio::test]
async fn fresh_databases_are_empty_and_independent() -> Outcome {
    let (one, other) = (Database::create().await?, Database::create().await?);
    assert_ne!(one.name(), other.name());
    assert_eq!(relations(&one).await?, 0);
    sqlx::query("create table t (id bigint)").execute(&one.pool().await?).await?;
    assert_eq!(relations(&one).await?, 1);
    assert_eq!(relations(&other).await?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn many_can_be_created_at_once() -> Outcome {
    let creators: Vec<_> = (0..16).map(|_| tokio::spawn(Database::create())).collect();
    for creator in creators {
        assert_eq!(relations(&creator.await??).await?, 0);
    }
    Ok(())
}

#[test]
fn runtimes_on_many_threads_share_the_server() -> Outcome {
    let create = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let db = runtime.block_on(Database::create()).ok()?;
        Some((db.url().rsplit_once('/')?.0.to_owned(), runtime.block_on(db.pool()).is_ok()))
    };
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(create)).collect();
    let mut servers = Vec::new();
    for thread in threads {
        let (server, connected) = thread.join().map_err(|_| "panicked")?.ok_or("failed")?;
        assert!(connected);
        servers.push(server);
    }
    servers.dedup();
    assert_eq!(servers.len(), 1, "{servers:?}");
    Ok(())
}

#[tokio::test]
async fn the_url_alone_is_enough_to_connect() -> Outcome {
    let db = Database::create().await?;
    let mut connection = PgConnection::connect(db.url()).await?;
    let name: String = sqlx::query_scalar("select current_database()::text").fetch_one(&mut connection).await?;
    assert_eq!(name, db.name());
    Ok(())
}

#[tokio::test]
async fn dropping_it_removes_it_even_while_it_is_in_use() -> Outcome {
    let (dropped, other) = (Database::create().await?, Database::create().await?);
    let name = dropped.name().to_owned();
    let pool = dropped.pool().await?;
    let mut transaction = pool.begin().await?;
    sqlx::query("create table t ()").execute(&mut *transaction).await?;
    assert!(exists(&name, &other).await?);
    drop(dropped);
    assert!(!exists(&name, &other).await?);
    assert!(sqlx::query("select").execute(&mut *transaction).await.is_err());
    Ok(())
}
