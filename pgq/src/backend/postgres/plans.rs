//! The plans of the hot statements, as the engine's connections have them: the same while the tables are empty, full and
//! unknown to the planner, because a plan is cached for as long as its connection lives. And those of the operator's
//! verbs, which run on the client's own connections, under whatever settings these have.

use pgq_testdb::Database;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

use super::Namespace;
use super::connect::ENGINE_SETTINGS;
use super::namespace::Statements;
use crate::Client;

mod expected;
mod lasting;

use expected::{APART, ENGINE, Expected, OPERATOR};

async fn connection(database: &Database) -> PgConnection {
    let client = Client::builder().unwrap().namespace("pgq", "").unwrap().pool(database.pool().await.unwrap());
    client.migrate().await.unwrap();
    let mut connection = client.pool().unwrap().acquire().await.unwrap().detach();
    connection.execute(ENGINE_SETTINGS).await.unwrap();
    connection
}

async fn run(connection: &mut PgConnection, sql: String) -> Vec<String> {
    let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0).trim().trim_start_matches("->").trim().to_owned()).collect()
}

/// The lines of the generic plan of a statement.
async fn plan(connection: &mut PgConnection, statement: &Expected) -> Vec<String> {
    plan_of(connection, &Namespace::default().render(statement.sql)).await
}

async fn plan_of(connection: &mut PgConnection, sql: &str) -> Vec<String> {
    let parameters = (1..20).rev().find(|number| sql.contains(&format!("${number}"))).unwrap_or_default();
    let nulls = format!("({})", vec!["null"; parameters].join(", ")).replace("()", "");
    connection.execute(sqlx::raw_sql(AssertSqlSafe(format!("deallocate all; prepare hot as {sql}")))).await.unwrap();
    run(connection, format!("explain (costs off) execute hot{nulls}")).await
}

/// Few of very many, as their index has them: whatever gathers all of them first costs as much as there are.
async fn assert_walks_in_order(connection: &mut PgConnection, name: &str, when: &str) {
    let plan = plan(connection, ENGINE.iter().find(|statement| statement.name == name).unwrap()).await;
    let gathers = |line: &String| ["Sort", "Hash", "Materialize"].iter().any(|node| line.starts_with(node));
    assert!(!plan.iter().any(gathers), "{name} {when}:\n{}", plan.join("\n"));
}

async fn assert_plans(connection: &mut PgConnection, statements: &[Expected], when: &str) {
    let mut unexpected = Vec::new();
    for statement in statements {
        let plan = plan(connection, statement).await;
        if let Some(scan) = unexpected_scan(&plan, statement.scans, statement.whole) {
            unexpected.push(format!("{}: {scan} in\n{}", statement.name, plan.join("\n")));
        }
    }
    assert!(unexpected.is_empty(), "{when}: {}", unexpected.join("\n\n"));
}

/// The first scan of a table of ours that is none of these, or walks an index as only the latter may.
fn unexpected_scan<'p>(plan: &'p [String], scans: &[&str], whole: &[&str]) -> Option<&'p str> {
    for (line, below) in plan.iter().zip(plan[1..].iter().chain([&String::new()])) {
        let Some((scan, _)) = line.split_once(" on ").filter(|line| reads_rows(line.0, line.1)) else {
            continue;
        };
        // An index without a condition is walked whole.
        let is_bound = ["Index Cond:", "TID Cond:", "Recheck Cond:"].iter().any(|cond| below.starts_with(cond));
        if !scans.contains(&scan) || !is_bound && !whole.contains(&scan) {
            return Some(line);
        }
    }
    None
}

/// Whether it is said of the statement how it may get at rows.
fn is_expected(name: &str) -> bool {
    ENGINE.iter().chain(OPERATOR).any(|statement| statement.name == name) || APART.contains(&name)
}

/// Whether this is a scan of a table of ours; whatever an index scan of a bitmap finds is read by the heap scan above it.
fn reads_rows(scan: &str, table: &str) -> bool {
    let others = ["Function Scan", "CTE Scan", "Subquery Scan", "Bitmap Index Scan"];
    let is_ours = ["job", "history", "failure", "gate", "pass"].iter().any(|ours| table.starts_with(ours));
    is_ours && scan.contains("Scan") && !others.contains(&scan)
}

/// How many pages a statement with these parameters touches, at most; it is rolled back.
async fn pages(connection: &mut PgConnection, name: &str, parameters: &str) -> u64 {
    let statement = ENGINE.iter().chain(OPERATOR).find(|statement| statement.name == name).unwrap();
    let sql = Namespace::default().render(statement.sql);
    let prepare = format!("deallocate all; prepare hot as {sql}; begin");
    connection.execute(sqlx::raw_sql(AssertSqlSafe(prepare))).await.unwrap();
    let explain = format!("explain (analyze, buffers, costs off, timing off) execute hot({parameters})");
    let lines = run(connection, explain).await;
    connection.execute("rollback").await.unwrap();
    // Each node's hold those below it, so the sum of all bounds from above what was touched.
    buffers(&lines).sum()
}

/// The pages that each node of a plan which was executed has touched, with those below it.
fn buffers(lines: &[String]) -> impl Iterator<Item = u64> {
    let buffers = lines.iter().filter_map(|line| line.strip_prefix("Buffers: shared "));
    buffers.map(|line| {
        let shared = line.split(',').next().unwrap_or_default();
        let counts = shared.split(' ').filter_map(|count| count.split_once('='));
        let counts = counts.filter(|count| count.0 == "hit" || count.0 == "read");
        counts.map(|count| count.1.parse::<u64>().unwrap()).sum()
    })
}

const FILL: &str = "
    insert into pgq.worker (id, instance, host, pid, span, started, beat, visible)
      values (7, gen_random_uuid(), 'test', 1, '1 hour', now(), now(), false);
    insert into pgq.remembered values (7);
    insert into pgq.job (queue, task, rank, run_at, created, lane, max_attempts, codec, payload, unique_key)
      select 'default', 'a', 0, now(), now(), n % 2, 20, 0, 'x', case when n % 10 = 0 then n end
      from generate_series(1, 1000000) as n;
    insert into pgq.history (id, expires, finished, created, run_at, epoch, state, attempt, crashes, max_attempts, rank,
                             version, codec, queue, task, payload)
      select n, now() + (n - 5001000) * interval '1 second', now(), now(), now(), 1, 4 + n % 3, 1, 0, 20, 0, 1, 0, 'default',
             'a', 'x'
      from generate_series(5000001, 6000000) as n;
    insert into pgq.gate (name, \"limit\", since) select 'task:a[b]=' || n, 'task:a[b]', now() from generate_series(1, 100000) as n;
    insert into pgq.job (queue, task, rank, run_at, created, lane, max_attempts, codec, payload, limit_key)
      select 'default', 'a', 0, now(), now(), 2, 20, 0, 'x', 'task:a[b]=' || n % 100000 from generate_series(1, 300000) as n;
    insert into pgq.pass (job, gate, epoch, lease) select n, 'task:a[b]=' || n, 1, 7 from generate_series(1, 100000) as n;
    insert into pgq.failure (job, epoch, attempt, ended, kind, message, chain)
      select n * 20, 1, 1, now(), 'error', 'no route to host', '[]' from generate_series(1, 300000) as n";

/// The operator's connections have the server's own settings.
const OPERATOR_SETTINGS: &str = "reset all; set plan_cache_mode = force_generic_plan";

#[tokio::test]
async fn hot_statements_walk_their_index_whatever_the_planner_knows() {
    let database = Database::create().await.unwrap();
    let mut connection = connection(&database).await;
    assert_plans(&mut connection, ENGINE, "while empty").await;
    connection.execute("analyze").await.unwrap();
    assert_plans(&mut connection, ENGINE, "while known to be empty").await;
    assert_walks_in_order(&mut connection, "idle_gates", "while empty").await;
    connection.execute(FILL).await.unwrap();
    assert_plans(&mut connection, ENGINE, "while full and unknown").await;
    assert_walks_in_order(&mut connection, "idle_gates", "while full and unknown").await;
    connection.execute(OPERATOR_SETTINGS).await.unwrap();
    assert_plans(&mut connection, OPERATOR, "while full and unknown").await;
    connection.execute("analyze pgq.job, pgq.history, pgq.failure").await.unwrap();
    assert_plans(&mut connection, OPERATOR, "while full").await;
    connection.execute(ENGINE_SETTINGS).await.unwrap();
    assert_plans(&mut connection, ENGINE, "while full").await;
    connection.execute("analyze pgq.gate, pgq.\"limit\"").await.unwrap();
    assert_walks_in_order(&mut connection, "idle_gates", "while full").await;
    assert_pages(&mut connection).await;
}

/// With 1,000,000 jobs and as many in history, each on tens of thousands of pages: what is touched grows with what is asked
/// for, here a hundred jobs.
async fn assert_pages(connection: &mut PgConnection) {
    let claim = "7, '{default}', '{a}', '{100}', 100, 4000000, '{32768}', '{-infinity}', '{0}', null, false, false, 2, '{}', '{}', '{}', 0";
    assert_few(connection, 10_000, "claim", claim).await;
    assert_few(connection, 10_000, "promote", "100, null, 1, null, '{}'").await;
    assert_few(connection, 500, "renew", "7, null, '{default}', '{a}', false, 2, true, true, true, 100000").await;
    assert_few(connection, 10_000, "prune", "100, null, null, null, '{}'").await;
    let gates = (1..=100).map(|n| format!("task:a[b]={n}")).collect::<Vec<_>>().join(",");
    assert_few(connection, 20_000, "gates", &format!("'{{{gates}}}', true, null")).await;
    assert_few(connection, 10_000, "waited_gates", &format!("'{{{gates}}}', null")).await;
    connection.execute("reset all").await.unwrap();
    let ids = |from: u32| (from..from + 100).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    assert_few(connection, 20_000, "cancel", &format!("'{{{}}}', 'enough', null", ids(1))).await;
    assert_few(connection, 20_000, "retry", &format!("'{{{}}}', null", ids(5_500_000))).await;
    assert_few(connection, 20_000, "delete", &format!("'{{{}}}'", ids(5_500_000))).await;
    assert_few(connection, 5_000, "free_keys", &format!("'{{{}}}'", ids(1))).await;
    assert_few(connection, 100, "get", "'{5500000}', null").await;
    assert_few(connection, 100, "get", "'{1000000}', null").await;
    assert_few(connection, 100, "failures", "'{20}'").await;
}

async fn assert_few(connection: &mut PgConnection, most: u64, name: &str, parameters: &str) {
    let pages = pages(connection, name, parameters).await;
    assert!((1..most).contains(&pages), "{name}({parameters}) touches {pages} pages");
}

#[tokio::test]
async fn a_look_at_a_limit_reads_few_of_the_values_that_have_a_rate_of_their_own() {
    let database = Database::create().await.unwrap();
    let mut connection = connection(&database).await;
    let fill = "
        insert into pgq.\"limit\" (name, keyed, interval_ns, burst, tokens) values ('task:a[b]', true, 1000000, 1, 0);
        insert into pgq.gate (name, \"limit\", since, overridden, own_interval_ns, own_burst)
          select 'task:a[b]=' || n, 'task:a[b]', now(), true, 2000000, 1 from generate_series(1, 50000) as n";
    connection.execute(fill).await.unwrap();
    for when in ["before", "after"] {
        let looked = pages(&mut connection, "pools", "null, null, true").await;
        assert!(looked < 1_000, "{looked} pages {when} it is analysed");
        connection.execute("analyze").await.unwrap();
    }
}

#[tokio::test]
async fn a_gate_that_tasks_share_costs_a_claim_no_more_with_a_backlog_of_another_task() {
    let database = Database::create().await.unwrap();
    let mut connection = connection(&database).await;
    let fill = "
        insert into pgq.\"limit\" (name, keyed, concurrency, tokens) values ('shared:s[k]', true, 1, 0);
        insert into pgq.gate (name, \"limit\", since) values ('shared:s[k]=1', 'shared:s[k]', now());
        insert into pgq.job (queue, task, rank, run_at, created, lane, max_attempts, codec, payload, limit_key, lease)
          select 'default', case when n % 20000 = 0 then 'a' else 'b' end, 0, now(), now(), 0, 20, 0, 'x', 'shared:s[k]=1',
                 case when n < 3 then 8 end
          from generate_series(1, 200000) as n";
    connection.execute(fill).await.unwrap();
    for when in ["before", "after"] {
        let before =
            "7, '{shared:s[k]=1}', '{1}', '{20000}', '{1}', '{shared:s[k]=1}', '{20000}', '{default}', '{a}', null, 0";
        let looked = pages(&mut connection, "enter", before).await;
        assert!(looked < 2_500, "{looked} pages {when} it is analysed");
        connection.execute("analyze").await.unwrap();
    }
}

/// The buffers that a search for `states` touched, which must come by an index.
async fn searched(connection: &mut PgConnection, states: &str) -> i64 {
    let sql = Namespace::default().render(include_str!("queries/find.sql"));
    let types =
        "bigint, bigint, bigint, text[], text[], smallint[], bigint, bigint, jsonb, text[], text, timestamptz, text[]";
    let prepare = format!("deallocate all; prepare search({types}) as {sql}");
    let set = "set plan_cache_mode = force_custom_plan; set enable_seqscan = off; set enable_bitmapscan = off";
    connection.execute(sqlx::raw_sql(AssertSqlSafe(format!("{set}; {prepare}")))).await.unwrap();
    let explain = "explain (analyze, buffers, costs off, format json) execute search(9223372036854775807, 1000, 100, \
                   null, null, %, null, null, null, null, null, null, null)";
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

#[tokio::test]
async fn every_statement_is_understood_under_a_prefix_and_without_a_search_path() {
    let database = Database::create().await.unwrap();
    let namespace = Namespace::new("deep", "in_").unwrap();
    let client = Client::builder().unwrap().namespace("deep", "in_").unwrap().pool(database.pool().await.unwrap());
    client.migrate().await.unwrap();
    let mut connection = PgConnection::connect_with(&database.options()).await.unwrap();
    connection.execute("set search_path = pg_catalog").await.unwrap();
    let mut mistakes = Vec::new();
    for (name, sql) in Statements::all(&namespace) {
        let prepare = format!("prepare {name}_ as {sql}");
        let prepared = connection.execute(sqlx::raw_sql(AssertSqlSafe(prepare))).await;
        mistakes.extend(prepared.err().map(|error| format!("{name}: {error}")));
    }
    assert_eq!(mistakes, [""; 0]);
}
