//! A worker whose turns a test takes by hand.

use std::fmt;
use std::sync::Arc;

use super::claimer::Claimer;
use super::completer::Completer;
use super::engine::Engine;
use super::executor;
use super::maintenance::{Promoter, Pruner, Rescuer, Sweeper};
use super::plan::Duties;
use super::service::{Next, Service};
use super::sharer::Sharer;
use super::tenure::Keeper;
use super::ticker::Ticker;
use crate::Result;
use crate::backend::{Renewal, Session};

/// A worker that does nothing by itself: each [`step`](Stepper::step) is a fixed order of turns, so that a test sees the
/// same every time.
pub struct Stepper {
    engine: Arc<Engine>,
    claimer: Claimer,
    completer: Completer,
    sharer: Sharer,
    /// The last beat failed.
    silent: bool,
    ticker: Ticker,
}

impl Stepper {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        let (claimer, completer) = (Claimer::new(Arc::clone(&engine)), Completer::new(Arc::clone(&engine)));
        let sharer = Sharer::new(Arc::clone(&engine));
        let ticker = Ticker::new(Arc::clone(&engine));
        Self { engine, claimer, completer, sharer, ticker, silent: false }
    }

    /// Makes the jobs of schedules, promotes what is due, claims once, runs what was won to its end and writes it; how many
    /// attempts ran. Where jobs of several priorities wait, one claim wins as many of them as suits the backend:
    /// [`drain`](Stepper::drain) runs them all.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn step(&mut self) -> Result<usize> {
        self.tick().await?;
        while Promoter(Arc::clone(&self.engine)).turn().await? == Next::Again {}
        let started = self.start().await?;
        self.settle().await?;
        Ok(started)
    }

    /// Steps until there is nothing left that may run now; how many attempts ran.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn drain(&mut self) -> Result<usize> {
        let mut total = 0;
        loop {
            match self.step().await? {
                0 => return Ok(total),
                ran => total += ran,
            }
        }
    }

    /// Makes the jobs of schedules that are due, unless the worker leaves them to others.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn tick(&mut self) -> Result<()> {
        if self.engine.duties == Duties::Tasks {
            return Ok(());
        }
        while self.ticker.turn().await? == Next::Again {}
        Ok(())
    }

    /// Claims once and starts what was won, without waiting for it; how many attempts were started. On a runtime of one thread,
    /// as `#[tokio::test]` has it, each has run up to its first wait when this returns.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn start(&mut self) -> Result<usize> {
        if !self.silent {
            // A test moves its clock as it likes: nobody wants beats of it where they don't matter.
            self.engine.tenure.renew(self.engine.platform.clock.mark());
        }
        self.share().await?;
        let mut batch = self.claimer.claim().await?.unwrap_or_default();
        if batch.jobs.is_empty() && !batch.blocked.is_empty() {
            self.share().await?;
            batch = self.claimer.claim().await?.unwrap_or_default();
        }
        let started = batch.jobs.len();
        executor::start(&self.engine, batch.jobs);
        // So that on a runtime of one thread each has run up to its first wait, and its timeout counts from now.
        tokio::task::yield_now().await;
        Ok(started)
    }

    /// Takes and gives what the limits of tasks allow, as [`step`](Stepper::step) does.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn share(&mut self) -> Result<()> {
        self.engine.limits.call();
        self.sharer.turn().await.map(drop)
    }

    /// Waits for what runs, and writes how it ended. A handler that waits for time to pass has to be given it from beside this:
    /// timeouts, and the second that a handler has to end once its time is over or it was cancelled, are of the test's clock.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn settle(&mut self) -> Result<()> {
        self.engine.slots.idle().await;
        while self.engine.outbox.len() > 0 {
            self.completer.flush().await?;
        }
        self.engine.discards.flush().await;
        Ok(())
    }

    /// Frees the jobs of workers whose lease is over, and, once a minute, of leases for which no worker answers.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn rescue(&mut self) -> Result<()> {
        Sweeper(Arc::clone(&self.engine)).turn().await?;
        while Rescuer(Arc::clone(&self.engine)).turn().await? == Next::Again {}
        self.engine.discards.flush().await;
        Ok(())
    }

    /// Discards what nobody has begun in time, and deletes what was kept for long enough, and orphaned schedules if it is told
    /// to. A worker that runs by itself does this once a minute.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn prune(&mut self) -> Result<()> {
        while Pruner(Arc::clone(&self.engine)).turn().await? == Next::Again {}
        self.engine.discards.flush().await;
        Ok(())
    }

    /// Gives a sign of life, hears which of its jobs were cancelled, and tells the log of those that take long. Where it fails
    /// and the last one was four fifths of a lease ago, attempts that have asked for their fence are told to end, and until
    /// one is accepted nothing is started.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn beat(&mut self) -> Result<()> {
        self.engine.held.look(self.engine.platform.clock.now());
        let renewed = self.renew().await;
        self.silent = renewed.is_err();
        Keeper(Arc::clone(&self.engine)).turn().await?;
        renewed
    }

    async fn renew(&self) -> Result<()> {
        let sent = self.engine.platform.clock.mark();
        if let Renewal::Alive { cancelled } = self.engine.session.attend().await?.renew().await? {
            self.engine.tenure.renew(sent);
            for cancelled in &cancelled {
                self.engine.held.cancel(cancelled);
            }
        }
        Ok(())
    }

    /// The session, for what no turn does.
    #[must_use]
    pub fn session(&self) -> &Arc<dyn Session> {
        &self.engine.session
    }

    /// Leaves: what it still holds is handed back.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn leave(self) -> Result<()> {
        self.engine.session.deregister(false).await
    }
}

impl fmt::Debug for Stepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stepper").field("lease", &self.engine.session.lease()).finish_non_exhaustive()
    }
}
