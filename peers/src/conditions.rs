//! Under which conditions the figures hold.

use anyhow::Result;
use pgq_benches::database::Admin;
use pgq_benches::machine;

use crate::args::Args;
use crate::{phase, runs};

/// Name and value of each condition.
pub(crate) type Conditions = Vec<(&'static str, String)>;

pub(crate) async fn read(args: &Args, admin: &Admin) -> Result<Conditions> {
    let place = if admin.own { "throw-away, on these cores" } else { "by --database-url" };
    let date: String = sqlx::query_scalar("select current_date::text").fetch_one(&admin.pool).await?;
    let mut conditions = vec![
        ("date", date),
        ("cpu", machine::cpu()),
        ("load average", machine::load_average()),
        ("server", format!("PostgreSQL {}, {place}", admin.setting("server_version").await?)),
        ("shared_buffers", admin.setting("shared_buffers").await?),
        ("max_wal_size", admin.setting("max_wal_size").await?),
        ("fsync", admin.setting("fsync").await?),
        (
            "synchronous_commit",
            format!("{}, where a peer doesn't set it itself", admin.setting("synchronous_commit").await?),
        ),
        ("transport", admin.transport()),
        ("payload", format!("{} bytes, as encoded", runs::PAYLOAD)),
        ("jobs", format!("{} a round, fewer where it is said", args.jobs)),
        ("enqueue", format!("1 producer, {} jobs a transaction", phase::BATCH)),
        ("drain", "1 worker process, from the first job's start to the last one's end in the database; vacuumed and analysed before".to_owned()),
        ("latency", format!("from before the call to the handler's first line, {} samples a round", args.samples)),
        ("rounds", format!("{} of all in turns, medians", args.rounds)),
    ];
    conditions.extend(args.note.clone().map(|note| ("note", note)));
    Ok(conditions)
}
