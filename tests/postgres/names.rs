//! What the server calls our connections.

use pgq::sqlx::{self, PgPool};
use pgq::{Client, Result, Worker};
use pgq_testdb::Database;

use crate::world::installed;

#[pgq::task]
async fn named() -> std::result::Result<(), pgq::BoxError> {
    Ok(())
}

/// Of all connections to a database but ours, each once.
async fn names(database: &Database) -> Vec<String> {
    let pool = PgPool::connect_with(database.options().application_name("ours")).await.unwrap();
    let names = "select distinct application_name from pg_stat_activity
                 where datname = current_database() and application_name <> 'ours' order by 1";
    sqlx::query_scalar(names).fetch_all(&pool).await.unwrap()
}

async fn names_of_worker_at(database: &Database, url: &str) -> Result<Vec<String>> {
    let client = Client::connect(url).await?;
    let builder = Worker::<()>::builder().client(client.clone()).tasks(pgq::tasks![named]);
    let worker = builder.spawn().await?;
    let names = names(database).await;
    worker.stop().await?;
    client.pool()?.close().await;
    Ok(names)
}

#[tokio::test]
async fn connections_say_who_they_are_unless_somebody_has_named_them() -> Result<()> {
    let database = installed().await;
    let names = names_of_worker_at(&database, database.url()).await?;
    assert!(names.len() == 2 && names[0] == "pgq", "{names:?}");
    assert!(names[1].starts_with("pgq worker suite") && names[1].len() <= 63, "{names:?}");
    let sign = if database.url().contains('?') { '&' } else { '?' };
    for theirs in ["application_name=shop", "options=-c%20application_name=shop"] {
        let database = installed().await;
        let url = format!("{}{sign}{theirs}", database.url());
        assert_eq!(names_of_worker_at(&database, &url).await?, ["shop"], "{theirs}");
    }
    Ok(())
}
