//! What is done in every run before chance has its way, however short the run: kills in quiet, whose recoveries are measured, and
//! workers that come back after their lease and end what somebody else runs by then.

use std::time::{Duration, Instant, SystemTime};

use pgq::sqlx;

use crate::monkey::Monkey;

/// For how long there are kills alone: a fifth of the run, within these.
const QUIET: (Duration, Duration) = (Duration::from_secs(10), Duration::from_mins(1));
/// Until what was killed last runs again: whoever is stopped may have claimed it.
const REST: Duration = Duration::from_secs(2);
/// How often, and how many at a time, are stopped until somebody has said that they are gone.
const ROUNDS: usize = 2;
const ZOMBIES: usize = 2;

impl Monkey {
    pub(crate) async fn open(&mut self, span: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + (span / 5).clamp(QUIET.0, QUIET.1);
        for place in (0..crate::WORKERS - 1).cycle() {
            self.wait(600, 700).await;
            if Instant::now() > until {
                break;
            }
            let begun = SystemTime::now();
            let what = self.kill_at(place).await?;
            self.note(what, begun);
            self.revive().await?;
        }
        tokio::time::sleep(REST).await;
        for _ in 0..ROUNDS {
            let begun = SystemTime::now();
            let what = self.make_zombies().await?;
            self.note(what, begun);
            self.wait(300, 300).await;
        }
        Ok(())
    }

    /// Those whose lease is short. When they go on, their jobs have begun elsewhere or are about to.
    async fn make_zombies(&mut self) -> anyhow::Result<&'static str> {
        self.shake().await;
        let pids: Vec<i32> = (0..ZOMBIES).filter_map(|place| self.pid(place)).collect();
        for place in 0..ZOMBIES {
            self.signal(place, "-STOP")?;
        }
        let until = Instant::now() + self.lease * 3;
        while self.anybody_there(&pids).await && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.wait(100, 700).await;
        for place in 0..ZOMBIES {
            self.go_on(place).await?;
        }
        self.shake().await;
        Ok("pairs stopped until taken for gone")
    }

    async fn anybody_there(&self, pids: &[i32]) -> bool {
        let there = "select exists (select from pgq.worker where pid = any ($1) and gone is null)";
        sqlx::query_scalar(there).bind(pids).fetch_one(&self.pool).await.unwrap_or(true)
    }
}
