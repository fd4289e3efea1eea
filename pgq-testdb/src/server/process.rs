//! The running `postgres`: start and the three ways to end it.

use std::{
    fs,
    path::Path,
    process::{Child, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use crate::{Error, account::Account};

/// Crash recovery of a big benchmark may well take its time.
const PATIENCE: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(2);

#[derive(Debug)]
pub(super) struct Process(Child);

impl Process {
    /// Starts `command` and waits until it takes connections. `watch` gets the process's number as soon as it has one.
    pub(super) fn start(
        command: impl Fn() -> Result<Command, Error>,
        data: &Path,
        log: &Path,
        mut watch: impl FnMut(Option<u32>) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let logged = fs::metadata(log).map_or(0, |log| log.len());
            let spawned = command()?.spawn().map_err(|cause| Error::because("`postgres` could not start", cause))?;
            let mut process = Self(spawned);
            let outcome = watch(Some(process.0.id())).and_then(|()| process.wait_until_ready(data, deadline));
            let exit = match outcome {
                Ok(None) => return Ok(process),
                Ok(Some(exit)) => exit,
                Err(error) => {
                    let _ = process.0.kill().and_then(|()| process.0.wait());
                    let _ = watch(None);
                    return Err(error);
                }
            };
            watch(None)?;
            let said = tail(log, logged);
            // Backends of a killed server take a moment to die.
            if !said.contains("still in use") || Instant::now() > deadline {
                return Err(Error::new(format!("`postgres` did not start ({exit}): {said}")));
            }
            thread::sleep(POLL);
        }
    }

    /// `Some` if it ended instead.
    fn wait_until_ready(&mut self, data: &Path, deadline: Instant) -> Result<Option<ExitStatus>, Error> {
        let pid = self.0.id().to_string();
        while !is_ready(&data.join("postmaster.pid"), &pid) {
            if let Some(exit) = self.0.try_wait().map_err(|cause| Error::because("`postgres` is lost", cause))? {
                return Ok(Some(exit));
            }
            if Instant::now() > deadline {
                return Err(Error::new(format!("`postgres` takes no connections after {PATIENCE:?}")));
            }
            thread::sleep(POLL);
        }
        Ok(None)
    }

    /// Ends sessions, writes everything.
    pub(super) fn stop(&mut self, account: &Account) -> Result<(), Error> {
        self.signal(r#"kill -INT "$1""#, account)
    }

    /// Ends sessions, writes nothing: for a server whose data goes away with it.
    pub(super) fn quit(&mut self, account: &Account) -> Result<(), Error> {
        self.signal(r#"kill -QUIT "$1""#, account)
    }

    /// Kills the server and its backends in one go. A backend whose postmaster alone is killed ends its statement
    /// first, so a commit could still come through. The postmaster is halted before they are listed, so that it makes
    /// no new ones. Where there is no /proc, the backends notice by themselves.
    pub(super) fn kill(&mut self, account: &Account) -> Result<(), Error> {
        let script = r#"
            kill -STOP "$1"
            backends=$(grep -ls "^PPid:[[:space:]]*$1\$" /proc/[0-9]*/status | cut -d / -f 3)
            kill -KILL $backends 2>/dev/null
            kill -KILL "$1"
        "#;
        self.signal(script, account)
    }

    /// By the shell's `kill`, because std only knows SIGKILL.
    fn signal(&mut self, script: &str, account: &Account) -> Result<(), Error> {
        let sent = match self.0.try_wait() {
            Ok(None) => Account::run(
                account.command("sh").args(["-c", script, "sh"]).arg(self.0.id().to_string()),
                "signalling `postgres`",
            ),
            _ => Ok(()),
        };
        if sent.is_err() {
            let _ = self.0.kill();
        }
        let ended = self.0.wait().map_err(|cause| Error::because("`postgres` is lost", cause));
        sent.and(ended.map(drop))
    }
}

/// The number is checked because a killed server leaves its file, which says "ready" for ever.
fn is_ready(pid_file: &Path, pid: &str) -> bool {
    let text = fs::read_to_string(pid_file).unwrap_or_default();
    let mut lines = text.lines().map(str::trim);
    lines.next() == Some(pid) && matches!(lines.nth(6), Some("ready" | "standby"))
}

/// What the log has had to say since `from`, but for the routine.
fn tail(log: &Path, from: u64) -> String {
    let text = fs::read(log).unwrap_or_default();
    let new = text.get(usize::try_from(from).unwrap_or(0)..).unwrap_or_default();
    let new = String::from_utf8_lossy(new);
    let lines: Vec<&str> = new.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}
