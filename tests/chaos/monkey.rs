//! Who breaks things: here the workers, in `outages.rs` what they stand on. How it begins is in `opening.rs`.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use pgq::sqlx::{self, PgPool};
use pgq_testdb::Server;

use crate::chance::Chance;
use crate::evidence::Deed;
use crate::links::Links;
use crate::proxy::Proxy;
use crate::tasks::{LEASE, NAME, POLL_ONLY};

/// The number of the signal that asks to end: whoever runs as a worker hears it, and isn't ended by it.
const TERMINATED: i32 = 15;

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strike {
    KillWorker,
    KillProducer,
    StopWorker,
    CutConnections,
    Freeze,
    KillServer,
    RestartServer,
    FailOver,
    Crowd,
    ReadOnly,
    DiskFull,
}

/// How often of a hundred each is done.
pub(crate) type Odds = &'static [(Strike, u64)];
pub(crate) const ALL: Odds = &[
    (Strike::KillWorker, 39),
    (Strike::KillProducer, 4),
    (Strike::StopWorker, 13),
    (Strike::CutConnections, 8),
    (Strike::Freeze, 8),
    (Strike::KillServer, 7),
    (Strike::RestartServer, 5),
    (Strike::FailOver, 4),
    (Strike::Crowd, 4),
    (Strike::ReadOnly, 4),
    (Strike::DiskFull, 4),
];
pub(crate) const KILLS: Odds = &[(Strike::KillWorker, 100)];
/// Quiet enough in between to measure how long it takes until jobs run again.
pub(crate) const CRASHES: Odds = &[(Strike::KillWorker, 94), (Strike::KillServer, 3), (Strike::RestartServer, 3)];
pub(crate) const STOPS: Odds = &[
    (Strike::StopWorker, 80),
    (Strike::KillWorker, 10),
    (Strike::RestartServer, 5),
    (Strike::CutConnections, 3),
    (Strike::Freeze, 2),
];
pub(crate) const OUTAGES: Odds = &[
    (Strike::KillWorker, 20),
    (Strike::FailOver, 25),
    (Strike::Crowd, 15),
    (Strike::ReadOnly, 15),
    (Strike::DiskFull, 15),
    (Strike::KillServer, 10),
];

/// The workers, and what can be done to them and what they stand on.
pub(crate) struct Monkey {
    pub(crate) server: Arc<Server>,
    pub(crate) links: Links,
    /// Our own connections, which nobody cuts but who ends the server.
    pub(crate) pool: PgPool,
    workers: Vec<Option<Child>>,
    producers: Vec<Child>,
    pub(crate) lease: Duration,
    started: u32,
    odds: Odds,
    /// What is still to be done once, before chance has its way.
    first: Vec<Strike>,
    chance: Chance,
    /// What was done, and how often.
    pub(crate) done: BTreeMap<&'static str, u32>,
    /// The same one by one.
    pub(crate) deeds: Vec<Deed>,
    /// To which worker it was done.
    whom: Option<u32>,
    /// The number of the worker at each place.
    numbers: Vec<u32>,
}

impl Monkey {
    pub(crate) fn new(server: Arc<Server>, links: Links, pool: PgPool, plan: &crate::Plan) -> Self {
        let first = plan.odds.iter().map(|(strike, _)| *strike).collect();
        let workers = (0..crate::WORKERS).map(|_| None).collect();
        let (started, done) = (0, BTreeMap::new());
        Self {
            server,
            links,
            pool,
            workers,
            producers: Vec::new(),
            lease: plan.lease,
            started,
            odds: plan.odds,
            first,
            chance: Chance::new(plan.seed),
            done,
            deeds: Vec::new(),
            whom: None,
            numbers: vec![0; crate::WORKERS],
        }
    }

    /// Every worker that doesn't run is started. The last one's link is apart from the others', and now and then it is poll-only:
    /// how long its jobs wait when it is killed isn't measured. Half of them have half the lease.
    pub(crate) async fn revive(&mut self) -> anyhow::Result<()> {
        let apart = self.workers.len() - 1;
        for place in 0..self.workers.len() {
            if let Some(child) = &mut self.workers[place]
                && child.try_wait()?.is_none()
            {
                continue;
            }
            let link = if place == apart { &self.links.apart } else { &self.links.shared };
            self.started += 1;
            let mut command = ourselves("--worker", link)?;
            let lease =
                if place < crate::WORKERS / 2 { self.lease.as_secs().div_ceil(2) } else { self.lease.as_secs() };
            command.env(NAME, self.started.to_string()).env(LEASE, lease.to_string());
            if place == apart && self.started.is_multiple_of(2) {
                command.env(POLL_ONLY, "");
            }
            let child = command.spawn()?;
            let note = sqlx::query("insert into worker_process (worker, pid) values ($1, $2)");
            let note = note.bind(self.started.to_string()).bind(child.id().cast_signed());
            let _ = note.execute(&self.pool).await;
            self.workers[place] = Some(child);
            self.numbers[place] = self.started;
        }
        Ok(())
    }

    /// As many as there are to be.
    pub(crate) fn produce(&mut self) -> anyhow::Result<()> {
        while self.producers.len() < crate::PRODUCERS {
            self.producers.push(ourselves("--producer", &self.links.ours)?.spawn()?);
        }
        Ok(())
    }

    /// One bad thing: each once, in some order, and then as the odds are.
    pub(crate) async fn strike(&mut self) -> anyhow::Result<()> {
        let begun = SystemTime::now();
        let what = match self.next() {
            Strike::KillWorker => self.kill_worker().await?,
            Strike::KillProducer => self.kill_producer()?,
            Strike::StopWorker => self.stop_worker().await?,
            Strike::CutConnections => self.cut_connections().await?,
            Strike::Freeze => self.freeze(),
            Strike::KillServer => self.kill_server(false).await?,
            Strike::RestartServer => self.kill_server(true).await?,
            Strike::FailOver => self.fail_over().await?,
            Strike::Crowd => self.crowd().await?,
            Strike::ReadOnly => self.make_read_only().await?,
            Strike::DiskFull => self.fill_disk().await?,
        };
        self.note(what, begun);
        // Who found no server when it started has ended.
        self.revive().await
    }

    pub(crate) fn note(&mut self, what: &'static str, begun: SystemTime) {
        *self.done.entry(what).or_default() += 1;
        let whom = self.whom.take().map(|whom| format!(", worker {whom}")).unwrap_or_default();
        self.deeds.push(Deed { what: format!("{what}{whom}"), begun, ended: SystemTime::now() });
    }

    fn next(&mut self) -> Strike {
        if !self.first.is_empty() {
            let place = usize::try_from(self.draw(self.first.len() as u64)).unwrap_or_default();
            return self.first.swap_remove(place);
        }
        let mut drawn = self.draw(self.odds.iter().map(|(_, odds)| odds).sum());
        for (strike, odds) in self.odds {
            match drawn.checked_sub(*odds) {
                Some(rest) => drawn = rest,
                None => return *strike,
            }
        }
        Strike::KillWorker
    }

    async fn kill_worker(&mut self) -> anyhow::Result<&'static str> {
        let place = self.pick();
        self.kill_at(place).await
    }

    /// `kill -9`. When it was is written down by the database's clock.
    pub(crate) async fn kill_at(&mut self, place: usize) -> anyhow::Result<&'static str> {
        self.whom = Some(self.numbers[place]);
        let apart = self.workers.len() - 1;
        if let Some(mut child) = self.workers[place].take() {
            kill(&mut child)?;
            if place != apart {
                let kill = sqlx::query("insert into kill (pid, at) values ($1, clock_timestamp())");
                let _ = kill.bind(child.id().cast_signed()).execute(&self.pool).await;
            }
        }
        let pause = self.draw(500);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        Ok("workers killed")
    }

    /// In the middle of whatever it does: what it had committed counts.
    fn kill_producer(&mut self) -> anyhow::Result<&'static str> {
        kill(&mut self.producers.remove(0))?;
        self.produce()?;
        Ok("producers killed")
    }

    /// For longer than its lease, now and then.
    async fn stop_worker(&mut self) -> anyhow::Result<&'static str> {
        let lease = u64::try_from(self.lease.as_millis()).unwrap_or(u64::MAX);
        let place = self.pick();
        self.whom = Some(self.numbers[place]);
        self.shake().await;
        self.signal(place, "-STOP")?;
        self.wait(lease * 2 / 3, lease * 4 / 3).await;
        self.go_on(place).await?;
        self.shake().await;
        Ok("workers stopped and continued")
    }

    /// Nothing is broken any more, and nothing promised.
    pub(crate) async fn calm(&mut self) -> anyhow::Result<()> {
        self.producers.iter_mut().try_for_each(kill)?;
        for place in 0..self.workers.len() {
            self.signal(place, "-CONT")?;
        }
        self.revive().await
    }

    /// Asks all workers to end; how many didn't end with 0. Who is no further than to begin is ended by the signal itself.
    pub(crate) async fn send_home(&mut self) -> anyhow::Result<u32> {
        let mut bad = 0;
        for place in 0..self.workers.len() {
            self.signal(place, "-TERM")?;
        }
        for child in self.workers.iter_mut().flatten() {
            let until = Instant::now() + Duration::from_mins(2);
            let ended = loop {
                match child.try_wait()? {
                    Some(status) => break status.success() || status.signal() == Some(TERMINATED),
                    None if Instant::now() > until => break false,
                    None => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            };
            bad += u32::from(!ended);
        }
        Ok(bad)
    }

    /// When it was is written down first.
    pub(crate) async fn go_on(&self, place: usize) -> anyhow::Result<()> {
        let note = sqlx::query("insert into went_on (pid, at) values ($1, clock_timestamp())");
        let _ = note.bind(self.pid(place)).execute(&self.pool).await;
        self.signal(place, "-CONT")
    }

    pub(crate) fn pid(&self, place: usize) -> Option<i32> {
        self.workers[place].as_ref().map(|child| child.id().cast_signed())
    }

    pub(crate) fn signal(&self, place: usize, signal: &str) -> anyhow::Result<()> {
        if let Some(child) = &self.workers[place] {
            Command::new("kill").args([signal, &child.id().to_string()]).stderr(Stdio::null()).status()?;
        }
        Ok(())
    }

    fn pick(&mut self) -> usize {
        usize::try_from(self.draw(self.workers.len() as u64)).unwrap_or_default()
    }

    /// Below `most`.
    pub(crate) fn draw(&mut self, most: u64) -> u64 {
        self.chance.draw(most)
    }
}

impl Drop for Monkey {
    fn drop(&mut self) {
        for child in self.workers.iter_mut().flatten().chain(&mut self.producers) {
            let _ = kill(child);
        }
    }
}

/// This program in another part, which it plays by a link.
fn ourselves(part: &str, link: &Proxy) -> std::io::Result<Command> {
    let options = link.options();
    let url = format!("postgres://postgres@{}:{}/postgres", options.get_host(), options.get_port());
    let mut command = Command::new(std::env::current_exe()?);
    command.args([part, &url]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command)
}

fn kill(child: &mut Child) -> std::io::Result<()> {
    child.kill()?;
    child.wait().map(drop)
}
