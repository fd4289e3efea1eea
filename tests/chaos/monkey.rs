//! Who breaks things: workers, the server, connections and links.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgq::sqlx::{self, PgPool};
use pgq_testdb::Server;

use crate::proxy::Proxy;
use crate::tasks::NAME;

/// How often of a hundred a worker is killed, one stopped for a while, everybody cut off, the links behind the proxy silenced,
/// the server killed, the server restarted.
pub(crate) type Odds = [u64; 6];
pub(crate) const ALL: Odds = [45, 15, 12, 12, 10, 6];
pub(crate) const KILLS: Odds = [100, 0, 0, 0, 0, 0];
pub(crate) const STOPS: Odds = [10, 80, 2, 2, 1, 5];

/// The workers, and what can be done to them and what they stand on.
pub(crate) struct Monkey {
    pub(crate) server: Arc<Server>,
    pub(crate) proxy: Proxy,
    pub(crate) pool: PgPool,
    workers: Vec<Option<Child>>,
    started: u32,
    odds: Odds,
    chance: u64,
    /// What was done, and how often.
    pub(crate) done: BTreeMap<&'static str, u32>,
}

impl Monkey {
    pub(crate) fn new(server: Arc<Server>, proxy: Proxy, pool: PgPool, workers: usize, odds: Odds, seed: u64) -> Self {
        let workers = (0..workers).map(|_| None).collect();
        Self { server, proxy, pool, workers, started: 0, odds, chance: seed, done: BTreeMap::new() }
    }

    /// Every worker that doesn't run is started. The last one is behind the proxy.
    pub(crate) async fn revive(&mut self) -> anyhow::Result<()> {
        let behind = self.workers.len() - 1;
        for place in 0..self.workers.len() {
            if let Some(child) = &mut self.workers[place]
                && child.try_wait()?.is_none()
            {
                continue;
            }
            let options = self.proxy.options();
            let behind_it = format!("postgres://postgres@{}:{}/postgres", options.get_host(), options.get_port());
            let url = if place == behind { behind_it } else { self.server.url() };
            self.started += 1;
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["--worker", &url]).env(NAME, self.started.to_string()).stdin(Stdio::null());
            let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
            let note = sqlx::query("insert into worker_process (worker, pid) values ($1, $2)");
            let note = note.bind(self.started.to_string()).bind(child.id().cast_signed());
            let _ = note.execute(&self.pool).await;
            self.workers[place] = Some(child);
        }
        Ok(())
    }

    /// One bad thing.
    pub(crate) async fn strike(&mut self) -> anyhow::Result<()> {
        let (mut drawn, mut which) = (self.draw(self.odds.iter().sum()), 0);
        while drawn >= self.odds[which] {
            drawn -= self.odds[which];
            which += 1;
        }
        let what = match which {
            0 => self.kill_worker().await?,
            1 => self.stop_worker().await?,
            2 => self.cut_connections().await?,
            3 => self.freeze(),
            4 => self.kill_server(false).await?,
            _ => self.kill_server(true).await?,
        };
        *self.done.entry(what).or_default() += 1;
        Ok(())
    }

    /// Writes down that the server is gone for a moment, or everybody cut off.
    async fn shake(&self) {
        let _ = sqlx::query("insert into shake values (clock_timestamp())").execute(&self.pool).await;
    }

    /// `kill -9`. When it was is written down by the database's clock.
    async fn kill_worker(&mut self) -> anyhow::Result<&'static str> {
        let place = self.pick();
        let behind = self.workers.len() - 1;
        if let Some(mut child) = self.workers[place].take() {
            child.kill()?;
            child.wait()?;
            if place != behind {
                let kill = sqlx::query("insert into kill (pid, at) values ($1, clock_timestamp())");
                let _ = kill.bind(child.id().cast_signed()).execute(&self.pool).await;
            }
        }
        let pause = self.draw(500);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        self.revive().await?;
        Ok("workers killed")
    }

    /// For longer than its lease, now and then.
    async fn stop_worker(&mut self) -> anyhow::Result<&'static str> {
        let (place, pause) = (self.pick(), 2_000 + self.draw(4_000));
        self.signal(place, "-STOP")?;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        self.signal(place, "-CONT")?;
        Ok("workers stopped and continued")
    }

    async fn cut_connections(&mut self) -> anyhow::Result<&'static str> {
        self.shake().await;
        let cut = "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'";
        let _ = sqlx::query(cut).execute(&self.pool).await;
        Ok("times all connections cut")
    }

    fn freeze(&mut self) -> &'static str {
        self.proxy.freeze();
        "links gone silent"
    }

    async fn kill_server(&mut self, kindly: bool) -> anyhow::Result<&'static str> {
        self.shake().await;
        let (server, pause) = (Arc::clone(&self.server), self.draw(1_500));
        tokio::task::spawn_blocking(move || {
            if kindly {
                server.stop()?;
            } else {
                server.kill()?;
            }
            std::thread::sleep(Duration::from_millis(pause));
            server.restart()
        })
        .await??;
        self.shake().await;
        Ok(if kindly { "servers restarted" } else { "servers killed" })
    }

    /// Nothing is broken any more.
    pub(crate) async fn calm(&mut self) -> anyhow::Result<()> {
        for place in 0..self.workers.len() {
            self.signal(place, "-CONT")?;
        }
        self.revive().await
    }

    /// Asks all workers to end; how many didn't end with 0.
    pub(crate) async fn send_home(&mut self) -> anyhow::Result<u32> {
        let mut bad = 0;
        for place in 0..self.workers.len() {
            self.signal(place, "-TERM")?;
        }
        for child in self.workers.iter_mut().flatten() {
            let until = Instant::now() + Duration::from_secs(45);
            let ended = loop {
                match child.try_wait()? {
                    Some(status) => break status.success(),
                    None if Instant::now() > until => break false,
                    None => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            };
            bad += u32::from(!ended);
        }
        Ok(bad)
    }

    fn signal(&self, place: usize, signal: &str) -> anyhow::Result<()> {
        if let Some(child) = &self.workers[place] {
            Command::new("kill").args([signal, &child.id().to_string()]).stderr(Stdio::null()).status()?;
        }
        Ok(())
    }

    fn pick(&mut self) -> usize {
        usize::try_from(self.draw(self.workers.len() as u64)).unwrap_or_default()
    }

    /// Below `most`, by a generator that repeats itself for a seed (`SplitMix64`; Steele, Lea, Flood 2014).
    pub(crate) fn draw(&mut self, most: u64) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.chance ^ (self.chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % most.max(1)
    }
}

impl Drop for Monkey {
    fn drop(&mut self) {
        for child in self.workers.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
