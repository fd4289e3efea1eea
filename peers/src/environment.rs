//! Where the scripts run: a virtual environment of Python and a directory of Node's, filled by their own package
//! managers, below the system's directory for temporary files. They stay for the next run.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};

use crate::peer::{Entry, RunsIn};

const PYTHON: [(&str, &str); 2] = [
    ("requirements.txt", include_str!("../scripts/requirements.txt")),
    ("measure.py", include_str!("../scripts/measure.py")),
];
const NODE: [(&str, &str); 2] = [
    ("package.json", include_str!("../scripts/package.json")),
    ("measure.mjs", include_str!("../scripts/measure.mjs")),
];

/// One for each language, or why there is none.
pub(crate) struct Environments {
    python: Result<PathBuf, String>,
    node: Result<PathBuf, String>,
}

impl Environments {
    /// Those that these peers need.
    pub(crate) fn prepare(entries: &[&Entry]) -> Self {
        let unused = || Err(anyhow!("no peer needs it"));
        let any = |wanted: fn(&RunsIn) -> bool| entries.iter().any(|entry| wanted(&entry.runs_in));
        let python = if any(|runs_in| matches!(runs_in, RunsIn::Python { .. })) { python() } else { unused() };
        let node = if any(|runs_in| matches!(runs_in, RunsIn::Node { .. })) { node() } else { unused() };
        Self { python: python.map_err(|error| format!("{error:#}")), node: node.map_err(|error| format!("{error:#}")) }
    }

    pub(crate) fn python(&self, script: &str) -> Result<tokio::process::Command> {
        let place = self.python.as_ref().map_err(|why| anyhow!("Python: {why}"))?;
        let mut command = tokio::process::Command::new(place.join("venv/bin/python"));
        command.arg(place.join(script));
        Ok(command)
    }

    pub(crate) fn node(&self, script: &str) -> Result<tokio::process::Command> {
        let place = self.node.as_ref().map_err(|why| anyhow!("Node: {why}"))?;
        // From the package `node`: what the peers ask for is newer than what many systems have.
        let mut command = tokio::process::Command::new(place.join("node_modules/.bin/node"));
        command.arg(place.join(script));
        Ok(command)
    }
}

fn python() -> Result<PathBuf> {
    let place = place("python", PYTHON.iter().chain(&crate::adapters::scripts::PYTHON))?;
    let venv = place.join("venv");
    install(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    let requirements = place.join("requirements.txt");
    install(Command::new(venv.join("bin/pip")).args(["install", "--quiet", "--requirement"]).arg(requirements))?;
    Ok(place)
}

fn node() -> Result<PathBuf> {
    let place = place("node", NODE.iter().chain(&crate::adapters::scripts::NODE))?;
    install(Command::new("npm").args(["install", "--silent", "--no-audit", "--no-fund"]).current_dir(&place))?;
    Ok(place)
}

/// A directory with these files in it.
fn place<'a>(language: &str, files: impl Iterator<Item = &'a (&'a str, &'a str)>) -> Result<PathBuf> {
    let place = std::env::temp_dir().join("pgq-peers").join(language);
    fs::create_dir_all(&place)?;
    for (name, text) in files {
        fs::write(place.join(name), text)?;
    }
    Ok(place)
}

fn install(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("{program} isn't there"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} failed: {}", said.lines().last().unwrap_or_default());
    Ok(())
}
