//! A phase of a peer in a process of its own, and what it tells in the last line that it prints.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tokio::process::Command;

use crate::database::Database;
use crate::environment::Environments;
use crate::peer::{Entry, RunsIn};

/// No phase takes so long; one that hangs ends here.
const PATIENCE: Duration = Duration::from_mins(5);

/// What a phase tells of itself; each one leaves out what it doesn't know.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Told {
    pub(crate) seconds: f64,
    pub(crate) duplicates: u32,
    pub(crate) millis: Vec<f64>,
    /// Of a peer whose version isn't in the lock file.
    pub(crate) version: String,
}

pub(crate) async fn run(
    entry: &Entry,
    environments: &Environments,
    database: &Database,
    phase: &str,
    count: u32,
) -> Result<Told> {
    let mut command = command(entry, environments)?;
    command.args([phase, &count.to_string()]).env("DATABASE_URL", &database.url);
    command.env("PEER_LEFT", format!("select exists (select from {}) as \"left\"", entry.left));
    let child = command.kill_on_drop(true).stdin(Stdio::null()).output();
    let Ok(output) = tokio::time::timeout(PATIENCE, child).await else {
        bail!("{phase} took longer than {PATIENCE:?}");
    };
    let output = output?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{phase} failed: {}", said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("without a word"));
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    let line = printed.lines().last().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("expected a line of JSON from {phase}, got {line:?}"))
}

fn command(entry: &Entry, environments: &Environments) -> Result<Command> {
    match entry.runs_in {
        RunsIn::Rust { .. } => {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["phase", entry.name]);
            Ok(command)
        }
        RunsIn::Python { script, .. } => environments.python(script),
        RunsIn::Node { script, .. } => environments.node(script),
    }
}
