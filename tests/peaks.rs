//! How many attempts ran at one moment, of those that a limit counts together.

use std::fmt;

use pgq::sqlx::{self, AssertSqlSafe, PgPool};

/// A limit of how many at once.
pub(crate) struct Limit {
    pub(crate) what: &'static str,
    /// Whose attempts it counts.
    pub(crate) tasks: &'static [&'static str],
    /// How many it allows for each key.
    pub(crate) most: i64,
}

/// The most that there were at one moment of one key.
#[derive(Debug)]
pub(crate) struct Peak {
    pub(crate) what: &'static str,
    pub(crate) seen: i64,
    pub(crate) most: i64,
}

impl Peak {
    /// What is wrong with it.
    pub(crate) fn violation(&self) -> Option<String> {
        let Self { what, seen, most } = self;
        (seen > most).then(|| format!("{seen} at once of {what}, which may be {most}"))
    }
}

impl fmt::Display for Peak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {:<38} {:>4} of {}", format!("most at once, {}", self.what), self.seen, self.most)
    }
}

/// `spans` is a query for attempts: `task`, `key`, and from when to when each counts (`begun`, `ended`, null for one that runs).
pub(crate) async fn peaks(pool: &PgPool, spans: &str, limits: &[Limit]) -> Result<Vec<Peak>, sqlx::Error> {
    // Who ends in the moment in which another one begins was not beside him.
    let query = format!(
        "with span as (
           select key, begun, ended from ({spans}) as attempt where task = any ($1) and (begun < ended or ended is null)),
         change as (
           select key, begun as at, 1 as count from span
           union all
           select key, ended, -1 from span where ended is not null)
         select coalesce(max(running), 0)::bigint
         from (select sum(count) over (partition by key order by at, count) as running from change) as moment"
    );
    let mut peaks = Vec::with_capacity(limits.len());
    for Limit { what, tasks, most } in limits {
        let seen = sqlx::query_scalar(AssertSqlSafe(query.as_str())).bind(tasks).fetch_one(pool).await?;
        peaks.push(Peak { what, seen, most: *most });
    }
    Ok(peaks)
}
