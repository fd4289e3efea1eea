//! What is left in the end: every job has ended once, and of no limit anything is taken, waited for or owed.

use pgq::sqlx::{self, AssertSqlSafe, PgPool};

use crate::check::Violation;
use crate::deeds::now;

/// Whatever these answer is wrong: how many there are, and which for example.
const RULES: &[(&str, &str)] = &[
    ("jobs that neither ended nor run", "select format('%s of %s', id, task) from pgq.job"),
    ("jobs that ended twice", "select id::text from pgq.history group by id having count(*) > 1"),
    (
        "jobs that were given up though their workers didn't die again and again",
        "select format('%s of %s', id, task) from pgq.history where state <> 4 and crashes < 5 and attempt < max_attempts",
    ),
    (
        "attempts that went on after their job had completed",
        "select format('%s of %s', run.job, run.task) from run join pgq.history on history.id = run.job
         where history.state = 4 and run.epoch > history.epoch",
    ),
    ("passes of nobody", "select format('%s at %s', job, gate) from pgq.pass"),
    ("gates that hold up nobody and are waited at", "select name from pgq.gate where opens < statement_timestamp()"),
    (
        "shares of nobody",
        "select format('%s of %s', sum(units), \"limit\") from pgq.share group by \"limit\", measure having sum(units) > 0",
    ),
    (
        "overrides that were cleared",
        "select name from pgq.limit where overridden union all select name from pgq.gate where overridden",
    ),
];

pub(super) async fn check(pool: &PgPool, enqueued: u64) -> anyhow::Result<Vec<Violation>> {
    let mut violations = Vec::new();
    let mut wrong = |what: String, there: Vec<String>| violations.push(Violation { at: now(), what, there });
    for (what, query) in RULES {
        let mut found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(*query)).fetch_all(pool).await?;
        if !found.is_empty() {
            let count = found.len();
            found.truncate(12);
            wrong(format!("{what}: {count}"), found);
        }
    }
    let ended: i64 = sqlx::query_scalar("select count(distinct id) from pgq.history").fetch_one(pool).await?;
    if u64::try_from(ended)? != enqueued {
        wrong(format!("{enqueued} jobs were enqueued, and {ended} have ended"), Vec::new());
    }
    Ok(violations)
}
