use std::sync::atomic::{AtomicUsize, Ordering};

use pgq_testdb::{Database, Error, Template};
use sqlx::PgPool;

use crate::Outcome;

async fn install(pool: PgPool) -> sqlx::Result<()> {
    sqlx::raw_sql("create table planet (name text); insert into planet values ('mars')").execute(&pool).await?;
    Ok(())
}

async fn planets(db: &Database) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    Ok(sqlx::query_scalar("select name from planet order by name").fetch_all(&db.pool().await?).await?)
}

#[tokio::test]
async fn a_copy_carries_schema_and_rows_and_leaves_the_template_alone() -> Outcome {
    let template = Template::new();
    let one = template.database(install).await?;
    assert_eq!(planets(&one).await?, ["mars"]);
    sqlx::query("insert into planet values ('venus')").execute(&one.pool().await?).await?;
    assert_eq!(planets(&template.database(install).await?).await?, ["mars"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_prepared_once_however_many_ask() -> Outcome {
    static TEMPLATE: Template = Template::new();
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let copy = || {
        TEMPLATE.database(async |pool| {
            RUNS.fetch_add(1, Ordering::Relaxed);
            install(pool).await
        })
    };
    let copies: Vec<_> = (0..16).map(|_| tokio::spawn(copy())).collect();
    for copied in copies {
        assert_eq!(planets(&copied.await??).await?, ["mars"]);
    }
    assert_eq!(RUNS.load(Ordering::Relaxed), 1);
    Ok(())
}

#[tokio::test]
async fn a_session_left_open_by_its_preparation_does_not_hinder_the_copies() -> Outcome {
    let template = Template::new();
    let mut left_open = None;
    let db = template.database(async |pool| {
        left_open = Some(pool.acquire().await?);
        install(pool).await
    });
    assert_eq!(planets(&db.await?).await?, ["mars"]);
    assert!(left_open.is_some());
    Ok(())
}

#[tokio::test]
async fn a_failed_preparation_is_an_error_and_tried_again() -> Outcome {
    let template = Template::new();
    let failed: Result<Database, Error> = template.database(async |_| Err("no such planet")).await;
    let message = failed.err().ok_or("expected an error")?.to_string();
    assert_eq!(message, "the template could not be prepared: no such planet");
    assert_eq!(planets(&template.database(install).await?).await?, ["mars"]);
    Ok(())
}
