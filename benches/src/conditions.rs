//! Under which conditions the figures hold.

use std::fs;
use std::thread::available_parallelism;

use anyhow::Result;
use sqlx::Row;

use crate::bench::Bench;
use crate::{load, raw};

/// Name and value of each condition.
pub(crate) type Conditions = Vec<(&'static str, String)>;

pub(crate) async fn read(bench: &Bench) -> Result<Conditions> {
    let options = &bench.server.options;
    let transport = match options.get_socket() {
        Some(_) => "unix socket".to_owned(),
        None => format!("tcp to {}", options.get_host()),
    };
    let cores = available_parallelism().map_or(0, std::num::NonZero::get);
    let server = if bench.server.own { "throw-away, on these cores" } else { "by --database-url" };
    Ok(vec![
        ("cpu", format!("{}, {cores} cores", cpu())),
        ("load average", first_line("/proc/loadavg")),
        ("server", format!("PostgreSQL {}, {server}", setting(bench, "server_version").await?)),
        ("shared_buffers", setting(bench, "shared_buffers").await?),
        ("fsync", setting(bench, "fsync").await?),
        (
            "synchronous_commit",
            format!("{} for producers, off for claim and finish", setting(bench, "synchronous_commit").await?),
        ),
        ("transport", transport),
        ("payload", format!("{} bytes", load::PAYLOAD)),
        ("jobs", format!("{} a round", bench.jobs)),
        ("worker", format!("1, {} slots, claims of at most 500, finishes of at most 1,000", bench.slots)),
        ("raw drain", format!("{}, batches of {}", raw::SHAPE, raw::BATCH)),
        ("enqueue batch", load::BATCH.to_string()),
        ("rounds", format!("{} of ours and of raw in turns, medians", bench.rounds)),
    ])
}

async fn setting(bench: &Bench, name: &str) -> Result<String> {
    let row = sqlx::query("select current_setting($1)").bind(name).fetch_one(&bench.server.pool).await?;
    Ok(row.try_get(0)?)
}

fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| "unknown".to_owned(), |(_, model)| model.trim().to_owned())
}

fn first_line(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().lines().next().unwrap_or_default().to_owned()
}
