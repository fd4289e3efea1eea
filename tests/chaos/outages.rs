//! What happens to the server, its connections and the links to it. When it does is written down: where everybody's
//! connections ended, nobody has seen who else is there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use pgq::sqlx::postgres::PgConnectOptions;
use pgq::sqlx::{self, AssertSqlSafe, ConnectOptions, PgConnection};

use crate::monkey::Monkey;

/// By which the server tells our connections from those of workers and of the crowd.
pub(crate) const OURS: &str = "chaos";
const CROWD: &str = "crowd";
/// How many connections the server has: fewer than the crowd wants.
pub(crate) const CONNECTIONS: usize = 100;
/// How long to try to make good again what was broken.
const PATIENCE: Duration = Duration::from_mins(5);

impl Monkey {
    /// Writes down that the server is gone for a moment, everybody cut off, or a worker held still.
    pub(crate) async fn shake(&self) {
        let _ = sqlx::query("insert into shake values (clock_timestamp())").execute(&self.pool).await;
    }

    /// Says something to the server until it has heard.
    async fn insist(&self, statement: &'static str) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            match sqlx::raw_sql(statement).execute(&self.pool).await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > until => return Err(error).context(statement),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    pub(crate) async fn wait(&mut self, least: u64, more: u64) {
        let pause = least + self.draw(more);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }

    pub(crate) async fn cut_connections(&mut self) -> anyhow::Result<&'static str> {
        self.shake().await;
        let cut = "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'";
        let _ = sqlx::query(cut).execute(&self.pool).await;
        Ok("times all connections cut")
    }

    pub(crate) fn freeze(&mut self) -> &'static str {
        self.links.apart.freeze();
        "links gone silent"
    }

    pub(crate) async fn kill_server(&mut self, kindly: bool) -> anyhow::Result<&'static str> {
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

    /// Kills the server, and lets a standby take its place. What waits for the disk waits for the standby too by then, so
    /// that nothing which was promised is lost; what doesn't, claims and ends, may be.
    pub(crate) async fn fail_over(&mut self) -> anyhow::Result<&'static str> {
        let primary = Arc::clone(&self.server);
        let standby = tokio::task::spawn_blocking(move || primary.standby()).await??;
        self.insist("alter system set synchronous_standby_names = '*'").await?;
        self.insist("select pg_reload_conf()").await?;
        self.insist("do $$ begin if not exists (select from pg_stat_replication where sync_state = 'sync') then raise 'not yet'; end if; end $$").await?;
        self.wait(200, 800).await;
        self.shake().await;
        let primary = std::mem::replace(&mut self.server, Arc::new(standby));
        let kill = Arc::clone(&primary);
        tokio::task::spawn_blocking(move || kill.kill()).await??;
        let options: PgConnectOptions = self.server.url().parse()?;
        self.links.lead_to(&options);
        // For a moment there is a server that only reads.
        self.wait(0, 1_500).await;
        let mut connection: PgConnection = options.connect().await?;
        sqlx::raw_sql("select pg_promote()").execute(&mut connection).await?;
        self.shake().await;
        tokio::task::spawn_blocking(move || drop(primary)).await?;
        Ok("standbys promoted")
    }

    /// Everybody is cut off, and a crowd takes the connections for a while.
    pub(crate) async fn crowd(&mut self) -> anyhow::Result<&'static str> {
        self.shake().await;
        let span = Duration::from_millis(2_000 + self.draw(2_000));
        let until = Instant::now() + span;
        let options = self.links.ours.options().application_name(CROWD).disable_statement_logging();
        let crowd: Vec<_> = (0..CONNECTIONS).map(|_| tokio::spawn(occupy(options.clone(), until))).collect();
        let cut = format!(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where backend_type = 'client backend' and application_name not in ('{OURS}', '{CROWD}')"
        );
        for _ in 0..3 {
            tokio::time::sleep(span / 8).await;
            let _ = sqlx::raw_sql(AssertSqlSafe(cut.as_str())).execute(&self.pool).await;
        }
        for one in crowd {
            one.await?;
        }
        self.shake().await;
        Ok("crowds that took all connections")
    }

    pub(crate) async fn make_read_only(&mut self) -> anyhow::Result<&'static str> {
        self.shake().await;
        self.insist("alter system set default_transaction_read_only = on").await?;
        self.insist("select pg_reload_conf()").await?;
        self.wait(2_000, 3_000).await;
        self.insist("alter system reset default_transaction_read_only").await?;
        self.insist("select pg_reload_conf()").await?;
        self.insist("insert into shake values (clock_timestamp())").await?;
        Ok("times the server was read-only")
    }

    /// What a full disk looks like to whoever ends a job: a trigger refuses rows of history with its error. (Everything else
    /// still finds room.)
    pub(crate) async fn fill_disk(&mut self) -> anyhow::Result<&'static str> {
        self.insist("insert into disk_full values (true)").await?;
        self.wait(2_000, 3_000).await;
        self.insist("delete from disk_full").await?;
        Ok("times the disk was full")
    }
}

/// Takes one connection as soon as it gets it, and keeps it.
async fn occupy(options: PgConnectOptions, until: Instant) {
    while Instant::now() < until {
        if let Ok(connection) = options.connect().await {
            tokio::time::sleep_until(until.into()).await;
            drop(connection);
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
