//! Under which conditions the figures hold.

use anyhow::Result;

use crate::bench::Bench;
use crate::{machine, payload};

/// Name and value of each condition.
pub(crate) type Conditions = Vec<(&'static str, String)>;

pub(crate) async fn read(bench: &Bench<'_>) -> Result<Conditions> {
    let server = bench.server;
    let place = if server.own { "throw-away, on these cores" } else { "by --database-url" };
    Ok(vec![
        ("cpu", machine::cpu()),
        ("load average", machine::load_average()),
        ("server", format!("PostgreSQL {}, {place}", server.setting("server_version").await?)),
        ("shared_buffers", server.setting("shared_buffers").await?),
        ("fsync", server.setting("fsync").await?),
        (
            "synchronous_commit",
            format!(
                "{} for producers, off for claim and finish but where it is said",
                server.setting("synchronous_commit").await?
            ),
        ),
        ("transport", server.transport()),
        (
            "statements",
            bench
                .uncounted
                .map_or_else(|| "counted by pg_stat_statements".to_owned(), |why| format!("not counted: {why}")),
        ),
        ("payload", format!("{} pseudo-random bytes where nothing else is said", payload::BYTES)),
        ("worker", "claims of at most 500, ends of at most 1,000".to_owned()),
        (
            "raw drain",
            "one connection claims 500 at most, while another finishes what was claimed, 1,000 at most".to_owned(),
        ),
    ])
}
