//! Schemas and prefixes: installations that share a database and nothing else.

use pgq::sqlx::{self, PgPool};
use pgq::{Client, Worker};

use crate::world::installed;

#[pgq::task]
async fn knock() -> Result<(), pgq::BoxError> {
    Ok(())
}

fn client(pool: &PgPool, schema: &str, prefix: &str) -> Client {
    Client::builder().unwrap().namespace(schema, prefix).unwrap().pool(pool.clone())
}

#[tokio::test]
async fn installations_share_a_database_and_nothing_else() {
    let database = installed().await;
    let pool = database.pool().await.unwrap();
    let places = [client(&pool, "pgq", ""), client(&pool, "public", "pgq_"), client(&pool, "public", "b_")];
    let mut ids = Vec::new();
    for place in &places {
        place.migrate().await.unwrap();
        ids.push(knock::enqueue(place, ()).await.unwrap().id());
    }
    assert_eq!(ids, [pgq::JobId(1); 3], "each counts for itself");
    let mut worker = pgq::testing::stepper(&places[1], pgq::tasks![knock], ()).await.unwrap();
    assert_eq!(worker.drain().await.unwrap(), 1);
    for (place, state) in places.iter().zip([pgq::State::Available, pgq::State::Completed, pgq::State::Available]) {
        assert_eq!(place.get(ids[0]).await.unwrap().unwrap().state, state);
    }
}

#[tokio::test]
async fn no_statement_needs_a_search_path() {
    let database = pgq_testdb::Database::create().await.unwrap();
    let options = database.options().options([("search_path", "pg_catalog")]);
    let pool = sqlx::postgres::PgPoolOptions::new().connect_with(options).await.unwrap();
    let client = client(&pool, "deep", "in_");
    client.migrate().await.unwrap();
    let worker = Worker::<()>::builder().client(client.clone()).tasks(pgq::tasks![knock]).spawn().await.unwrap();
    let tx = client.begin().await.unwrap();
    let id = knock::enqueue(&tx, ()).await.unwrap().id();
    tx.commit().await.unwrap();
    worker.stop().await.unwrap();
    assert!(client.get(id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_name_that_needs_escaping_is_refused() {
    for (schema, prefix) in
        [("", ""), ("Jobs", ""), ("a\"; drop table users; --", ""), ("a", "b-"), ("a", &"p".repeat(33))]
    {
        let error = Client::builder().unwrap().namespace(schema, prefix).unwrap_err();
        assert!(error.is_invalid() && error.to_string().starts_with("expected 1 to 32 of a-z"), "{error}");
    }
}
