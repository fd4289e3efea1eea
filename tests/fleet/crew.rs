//! The worker processes, and what can be done to them.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use pgq::sqlx::{self, PgPool};

use crate::check::Violation;
use crate::deeds::{Deeds, now};
use crate::tasks::Version;

/// What asks to end: whoever runs as a worker hears it, and isn't ended by it.
const TERMINATED: i32 = 15;
/// Longer than anybody needs to end.
const PATIENCE: f64 = 60.0;

/// After so many seconds it is looked what keeps somebody from ending.
const LONG: f64 = 5.0;

const SESSIONS: &str = "
    select format('session %s, %s, waits for %s %s held by %s, for %s: %s', pid, state, wait_event_type, wait_event,
                  pg_blocking_pids(pid), clock_timestamp() - state_change, query)
    from pg_stat_activity
    where backend_type = 'client backend' and pid <> pg_backend_pid() and wait_event is distinct from 'ClientRead'
       or state like 'idle in%'";

struct Worker {
    child: Child,
    version: Version,
    /// Since when it is stopped, and until when.
    stopped: Option<(f64, Instant)>,
}

/// Who was told to end.
struct Leaving {
    child: Child,
    told: f64,
    /// What the server did when that took long.
    there: Vec<String>,
}

pub(crate) struct Crew {
    url: String,
    pool: PgPool,
    workers: Vec<Worker>,
    leaving: Vec<Leaving>,
    pub(crate) deeds: Deeds,
    /// Who was told to end and didn't end well.
    pub(crate) bad: Vec<Violation>,
}

impl Crew {
    pub(crate) async fn start(url: String, pool: PgPool, count: usize) -> anyhow::Result<Self> {
        let mut crew =
            Self { url, pool, workers: Vec::new(), leaving: Vec::new(), deeds: Deeds::default(), bad: Vec::new() };
        for place in 0..count {
            crew.hire(place, Version::First).await?;
        }
        Ok(crew)
    }

    async fn hire(&mut self, place: usize, version: Version) -> anyhow::Result<()> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--worker", &self.url, "--code", &version.number().to_string()]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let started = sqlx::query("insert into process (pid, version) values ($1, $2)");
        started.bind(child.id().cast_signed()).bind(version.number()).execute(&self.pool).await?;
        self.workers.insert(place, Worker { child, version, stopped: None });
        Ok(())
    }

    /// Those that aren't stopped.
    pub(crate) fn awake(&self) -> Vec<usize> {
        (0..self.workers.len()).filter(|place| self.workers[*place].stopped.is_none()).collect()
    }

    pub(crate) fn version(&self, place: usize) -> Version {
        self.workers[place].version
    }

    /// Those of another version than this.
    pub(crate) fn behind(&self, version: Version) -> Vec<usize> {
        self.awake().into_iter().filter(|place| self.version(*place) != version).collect()
    }

    /// `kill -9`, and another one of a version in its place.
    pub(crate) async fn kill(&mut self, place: usize, next: Version) -> anyhow::Result<()> {
        // By the clock that the database goes by too, and before others may know: they may be quicker than this program.
        let at = now();
        let mut victim = self.workers.remove(place);
        let killed = victim.child.kill();
        victim.child.wait()?;
        killed?;
        self.bury(victim.child.id(), at).await?;
        self.deeds.tell("killed", format!("process {} was killed", victim.child.id()));
        self.hire(place, next).await
    }

    async fn bury(&self, pid: u32, at: f64) -> Result<(), sqlx::Error> {
        let died = sqlx::query("insert into death (pid, at) values ($1, to_timestamp($2))");
        died.bind(pid.cast_signed()).bind(at).execute(&self.pool).await.map(drop)
    }

    /// Told to end, and another one of a version in its place.
    pub(crate) async fn relieve(&mut self, place: usize, next: Version) -> anyhow::Result<()> {
        let worker = self.workers.remove(place);
        self.dismiss(worker.child)?;
        self.hire(place, next).await
    }

    fn dismiss(&mut self, child: Child) -> anyhow::Result<()> {
        signal(&child, "-TERM")?;
        self.leaving.push(Leaving { child, told: now(), there: Vec::new() });
        Ok(())
    }

    /// Those who were told to end and have.
    pub(crate) async fn see_off(&mut self) -> anyhow::Result<()> {
        for mut leaving in std::mem::take(&mut self.leaving) {
            let status = leaving.child.try_wait()?;
            let span = now() - leaving.told;
            if status.is_none() && span < PATIENCE {
                if leaving.there.is_empty() && span > LONG {
                    leaving.there = sqlx::query_scalar(SESSIONS).fetch_all(&self.pool).await?;
                }
                self.leaving.push(leaving);
                continue;
            }
            self.count_off(leaving, status).await?;
        }
        Ok(())
    }

    async fn count_off(&mut self, mut leaving: Leaving, status: Option<ExitStatus>) -> anyhow::Result<()> {
        let pid = leaving.child.id();
        // Who is no further than to begin is ended by the signal itself.
        let cut_short = status.is_some_and(|status| status.signal() == Some(TERMINATED));
        if cut_short || status.is_none() {
            leaving.child.kill()?;
            leaving.child.wait()?;
            self.bury(pid, if cut_short { leaving.told } else { now() }).await?;
        }
        let ended = status.map_or_else(|| "not at all".to_owned(), |status| status.to_string());
        let what = format!("process {pid} was told to end, and did after {:.3} s: {ended}", now() - leaving.told);
        if !cut_short && status.is_none_or(|status| !status.success()) {
            self.bad.push(Violation { at: now(), what: what.clone(), there: leaving.there });
        }
        self.deeds.tell("told to end", what);
        Ok(())
    }

    pub(crate) fn stop(&mut self, place: usize, span: Duration) -> anyhow::Result<()> {
        let worker = &mut self.workers[place];
        worker.stopped = Some((now(), Instant::now() + span));
        signal(&worker.child, "-STOP")?;
        let what = format!("process {} was stopped for {:.1} s", worker.child.id(), span.as_secs_f64());
        self.deeds.tell("stopped and continued", what);
        Ok(())
    }

    /// Those whose time has come go on, or all.
    pub(crate) fn go_on(&mut self, all: bool) -> anyhow::Result<()> {
        for worker in &mut self.workers {
            let Some((since, until)) = worker.stopped else { continue };
            if all || Instant::now() >= until {
                signal(&worker.child, "-CONT")?;
                self.deeds.stops.push((since, now()));
                worker.stopped = None;
            }
        }
        Ok(())
    }

    /// Nobody is left.
    pub(crate) async fn send_home(&mut self) -> anyhow::Result<()> {
        while let Some(worker) = self.workers.pop() {
            self.dismiss(worker.child)?;
        }
        while !self.leaving.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.see_off().await?;
        }
        Ok(())
    }
}

fn signal(child: &Child, signal: &str) -> anyhow::Result<()> {
    Command::new("kill").args([signal, &child.id().to_string()]).stderr(Stdio::null()).status()?;
    Ok(())
}

impl Drop for Crew {
    fn drop(&mut self) {
        let leaving = self.leaving.iter_mut().map(|leaving| &mut leaving.child);
        for child in self.workers.iter_mut().map(|worker| &mut worker.child).chain(leaving) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
