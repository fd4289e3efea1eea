//! Plans that were made while everything was empty, and analysed so, and then last.

use pgq_testdb::Database;
use sqlx::{AssertSqlSafe, Executor, PgConnection};

use super::{FILL, buffers, connection, plan_of, run, unexpected_scan};
use crate::backend::postgres::connect::ENGINE_SETTINGS;
use crate::backend::postgres::namespace::{Namespace, Statements};

/// What else there is much of; limits are as many as programs declare.
const FILL_MORE: &str = "
    insert into pgq.worker (id, instance, host, pid, span, started, beat, visible, gone)
      select n, gen_random_uuid(), 'test', 1, '1 hour', now(), now(), false, now() from generate_series(101, 120) as n;
    insert into pgq.sleeper (worker, asleep, until, wants)
      select n, true, now() + interval '1 hour', array[n] from generate_series(1, 1000) as n;
    insert into pgq.schedule (name, task, queue, rank, max_attempts, cadence, zone, missed, overlap, payload, limit_keys, created, last)
      select 's' || n, 'a', 'default', 0, 20, 'every 1s', 'UTC', 'skip', 'allow', 'x', '{}', false, '2026-01-01'
      from generate_series(1, 10000) as n;
    insert into pgq.\"limit\" (name, keyed, concurrency, tokens, pace_ns, pace_burst)
      select 'l' || n, false, 100, 0, 1000, 1 from generate_series(1, 100) as n;
    insert into pgq.share (\"limit\", measure, worker, units, wish, since, tokens, awaited)
      select 'l' || n, measure, worker, 1, 1, now(), 0, false
      from generate_series(1, 1000) as n, generate_series(0, 1) as measure, generate_series(1, 20) as worker";

/// Of the limit of which shares are written.
const VERSION: &str = "
    create function pg_temp.version() returns bigint language sql as
      'select xmin::text::bigint from pgq.\"limit\" where name = ''l50'''";

/// A statement, what it is given, and how many pages it may touch.
type Call = (&'static str, String, u64);

fn calls() -> Vec<Call> {
    let hundred = |of: &str| (1..=100).map(|n| format!("{of}{n}")).collect::<Vec<_>>().join(",");
    let all = |value: &str| format!("array_fill({value}, array[100])");
    let (ids, epochs, gates) = (hundred(""), all("1"), hundred("task:a[b]="));
    let (zeros, ones) = (all("0::bigint"), all("1::bigint"));
    let instants = all("timestamptz '2026-01-01'");
    vec![
        ("enqueue_one", "'default', 'a', 0, null, null, 20, 0, null, 'x', null, '{1}', null, null".into(), 50),
        (
            "enqueue",
            format!(
                "'{{default}}', '{{a}}', '{{0}}', null, null, '{{20}}', '{{0}}', null, {}, null, '{{1}}', 1, 'w', null, null",
                all("'x'::bytea")
            ),
            1_000,
        ),
        (
            "enqueue_unique",
            format!(
                "'{{default}}', '{{a}}', '{{0}}', null, null, '{{20}}', '{{0}}', null, {}, null, '{{1}}', 1, 'w', null, null, \
                 '{{{}}}'",
                all("'x'::bytea"),
                hundred("k")
            ),
            2_000,
        ),
        ("holder", "'a', '10', null".into(), 20),
        ("wake", "'{1}', 1, null, 'w'".into(), 100),
        ("doze", "7, 1000000, null".into(), 50),
        ("settle", "7".into(), 50),
        ("take_chore", "'sweep', 60000000, null".into(), 50),
        ("forgotten", format!("7, '{{{ids}}}', {epochs}"), 1_000),
        // It walks all schedules, as each beat does.
        (
            "fire",
            format!(
                "'{{{names}}}', {zeros}, {instants}, {nulls}, {instants}, {nulls}, {instants}, '{{{ids}}}', {instants}, {headers}, \
                 {extras}, 0::smallint, null",
                names = hundred("s"),
                nulls = all("null::timestamptz"),
                headers = all("null::jsonb"),
                extras = all("'{}'::jsonb"),
            ),
            5_000,
        ),
        (
            "shares",
            "'{l50}', array[pg_temp.version()], '{0}', now(), '{l50}', '{0}', \
             '{l50,l50}', '{0,0}', '{1,2}', '{1,1}', '{2,2}', array[now(), now()], '{0,0}', '{f,f}', '{t,f}', '{1,2}', null"
                .into(),
            500,
        ),
        ("foretell", "1, '{l50}', '{1}', '{1000}', '{1000}', '{1}', null".into(), 500),
        ("leave", format!("7, '{{{ids}}}', {epochs}, '{{{gates}}}'"), 1_000),
        ("lock_gates", format!("'{{{gates}}}'"), 1_000),
        ("gates", format!("'{{{gates}}}', true, null"), 5_000),
        (
            "pass",
            format!(
                "7, '{{{ids}}}', '{{{gates}}}', '{{{gates}}}', {instants}, {instants}, '{{}}', '{{}}', {}, '{{}}', 0, {instants}, \
                 {zeros}",
                all("2")
            ),
            5_000,
        ),
        ("unpark", format!("'{{{gates}}}', {ones}, {instants}, {instants}, {instants}, {zeros}"), 5_000),
        ("park", format!("'{{{gates}}}', {}, {}, 1, 2", all("'default'::text"), all("'a'::text")), 2_000),
        ("recount_gates", format!("'{{{gates}}}', {instants}, {instants}, {zeros}"), 3_000),
        ("waited_gates", format!("'{{{gates}}}', null"), 2_000),
        ("open_limits", "'{task:c[d]}', '{\"\"}', 1000, null".into(), 50),
        // One walk through all jobs.
        ("mark_freed", "null".into(), 40_000),
        ("release", "7, '{}', '{}'".into(), 40_000),
    ]
}

#[tokio::test]
async fn what_was_planned_while_empty_touches_few_pages_once_there_is_much() {
    let database = Database::create().await.unwrap();
    let mut connection = connection(&database).await;
    connection.execute("analyze").await.unwrap();
    connection.execute(VERSION).await.unwrap();
    prepare(&mut connection).await;
    connection.execute(FILL).await.unwrap();
    connection.execute(FILL_MORE).await.unwrap();
    assert_few(&mut connection, "planned while empty").await;
    connection.execute("deallocate all").await.unwrap();
    prepare(&mut connection).await;
    assert_few(&mut connection, "planned while full and unknown").await;
    connection.execute("deallocate all; analyze").await.unwrap();
    prepare(&mut connection).await;
    assert_few(&mut connection, "planned while full").await;
}

/// Prepares and plans all, which then lasts.
async fn prepare(connection: &mut PgConnection) {
    let statements = Statements::all(&Namespace::default());
    for (name, parameters, _) in calls() {
        let sql = &statements.iter().find(|statement| statement.0 == name).unwrap().1;
        let plan = format!("prepare {name}_ as {sql}; explain execute {name}_({parameters})");
        connection.execute(sqlx::raw_sql(AssertSqlSafe(plan))).await.unwrap();
    }
}

async fn assert_few(connection: &mut PgConnection, when: &str) {
    let mut many = Vec::new();
    for (name, parameters, most) in calls() {
        connection.execute("begin").await.unwrap();
        let explain = format!("explain (analyze, buffers, costs off, timing off) execute {name}_({parameters})");
        let plan = run(connection, explain).await;
        connection.execute("rollback").await.unwrap();
        let touched = buffers(&plan).max().unwrap();
        if !(1..most).contains(&touched) {
            many.push(format!("{name}, {when}, touches {touched} pages, not {most} at most:\n{}", plan.join("\n")));
        }
    }
    assert!(many.is_empty(), "{}", many.join("\n\n"));
}

/// Whatever isn't named beside its scans reads no row of what grows, on whose connection ever.
#[tokio::test]
async fn every_other_statement_leaves_what_grows_alone() {
    let database = Database::create().await.unwrap();
    let mut connection = connection(&database).await;
    for settings in [ENGINE_SETTINGS, super::OPERATOR_SETTINGS] {
        connection.execute(settings).await.unwrap();
        for (name, sql) in Statements::all(&Namespace::default()) {
            if !super::is_expected(name) {
                let plan = plan_of(&mut connection, &sql).await;
                assert_eq!(unexpected_scan(&plan, &[], &[]), None, "{name}:\n{}", plan.join("\n"));
            }
        }
    }
}
