//! The plans of the hot statements, as the engine's connections have them: the same while the table is empty, full and
//! unknown to the planner, because a plan is cached for as long as its connection lives.

use pgq_testdb::Database;
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

use super::Namespace;
use super::connect::ENGINE_SETTINGS;
use crate::Client;

/// How a statement may get at the rows of `job`, and nothing else may stand in its plan.
struct Expected {
    name: &'static str,
    sql: &'static str,
    scans: &'static [&'static str],
}

macro_rules! expected {
    ($name:literal, $($scan:literal),+) => {
        Expected {
            name: $name,
            sql: include_str!(concat!("queries/", $name, ".sql")),
            scans: &[$($scan),+],
        }
    };
}

const EXPECTED: &[Expected] = &[
    expected!("claim", "Index Scan using job_ready", "Tid Scan"),
    expected!("finish", "Index Scan using job_pkey", "Tid Scan"),
    expected!("put_back", "Index Scan using job_pkey", "Tid Scan"),
    expected!("look", "Index Scan using job_pkey"),
    expected!("promote", "Index Scan using job_deferred", "Index Only Scan using job_deferred", "Tid Scan"),
];

async fn connection(database: &Database) -> PgConnection {
    let client = Client::builder().unwrap().namespace("pgq", "").unwrap().pool(database.pool().await.unwrap());
    client.migrate().await.unwrap();
    let mut connection = client.pool().unwrap().acquire().await.unwrap().detach();
    connection.execute(ENGINE_SETTINGS).await.unwrap();
    connection
}

/// The lines of the generic plan of a statement.
async fn plan(connection: &mut PgConnection, statement: &Expected) -> Vec<String> {
    let sql = Namespace::default().render(statement.sql);
    let parameters = (1..20).rev().find(|number| sql.contains(&format!("${number}"))).unwrap();
    let nulls = vec!["null"; parameters].join(", ");
    let prepare = format!("deallocate all; prepare hot as {sql}");
    connection.execute(sqlx::raw_sql(AssertSqlSafe(prepare))).await.unwrap();
    let explain = format!("explain (costs off) execute hot({nulls})");
    let rows = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0).trim().trim_start_matches("->").trim().to_owned()).collect()
}

async fn assert_plans(connection: &mut PgConnection, when: &str) {
    for statement in EXPECTED {
        let plan = plan(connection, statement).await;
        let on_jobs = plan.iter().filter_map(|line| line.split_once(" on job")).filter(|line| line.0.contains("Scan"));
        for (scan, _) in on_jobs {
            assert!(statement.scans.contains(&scan), "{} {when}: {scan} in\n{}", statement.name, plan.join("\n"));
        }
    }
}

#[tokio::test]
async fn hot_statements_walk_their_index_whatever_the_planner_knows() {
    let database = Database::create().await.unwrap();
    let mut connection = connection(&database).await;
    connection.execute("analyze pgq.job").await.unwrap();
    assert_plans(&mut connection, "while empty").await;
    let fill = "insert into pgq.job (queue, task, rank, run_at, created, lane, max_attempts, codec, payload)
        select 'default', 'a', 0, now(), now(), n % 2, 20, 0, 'x' from generate_series(1, 200000) as n";
    connection.execute(fill).await.unwrap();
    assert_plans(&mut connection, "while full and unknown").await;
    connection.execute("analyze pgq.job").await.unwrap();
    assert_plans(&mut connection, "while full").await;
}

/// The buffers that a search for `states` touched, which must come by an index.
async fn searched(connection: &mut PgConnection, states: &str) -> i64 {
    let sql = Namespace::default().render(include_str!("queries/find.sql"));
    let types = "bigint, bigint, bigint, text[], text[], smallint[], bigint, bigint, jsonb, text[], text, timestamptz";
    let prepare = format!("deallocate all; prepare search({types}) as {sql}");
    let set = "set plan_cache_mode = force_custom_plan; set enable_seqscan = off; set enable_bitmapscan = off";
    connection.execute(sqlx::raw_sql(AssertSqlSafe(format!("{set}; {prepare}")))).await.unwrap();
    let explain = "explain (analyze, buffers, costs off, format json) execute search(9223372036854775807, 1000, 100, \
                   null, null, %, null, null, null, null, null, null)";
    let row = sqlx::raw_sql(AssertSqlSafe(explain.replace('%', states))).fetch_one(connection).await.unwrap();
    let plan: serde_json::Value = row.get(0);
    assert!(!plan.to_string().contains("Seq Scan"), "{plan}");
    plan[0]["Plan"]["Shared Hit Blocks"].as_i64().unwrap() + plan[0]["Plan"]["Shared Read Blocks"].as_i64().unwrap()
}

#[tokio::test]
async fn a_search_reads_what_it_may_and_no_more() {
    let database = Database::create().await.unwrap();
    let mut connection = connection(&database).await;
    let fill = "insert into pgq.job (queue, task, rank, run_at, created, lane, max_attempts, codec, payload)
        select 'default', 'a', 0, now(), now(), n % 2, 20, 0, 'x' from generate_series(1, 500000) as n";
    connection.execute(fill).await.unwrap();
    // One in a thousand was discarded, the older half.
    let fill = "insert into pgq.history (id, expires, finished, created, run_at, epoch, state, attempt, crashes,
                                         max_attempts, rank, version, codec, queue, task, payload)
        select n, now() + interval '1 day', now(), now(), now(), 1,
               case when n % 1000 = 0 and n < 750000 then 6 else 4 end, 1, 0, 20, 0, 1, 0, 'default', 'a', 'x'
        from generate_series(500001, 1000000) as n";
    connection.execute(fill).await.unwrap();
    for when in ["before", "after"] {
        for states in ["null", "'{6}'", "'{0,3}'", "'{4}'"] {
            let buffers = searched(&mut connection, states).await;
            assert!(buffers < 1_200, "{buffers} for {states} {when} it is analysed");
        }
        connection.execute("analyze").await.unwrap();
    }
}
