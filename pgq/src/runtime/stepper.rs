//! A worker whose turns a test takes by hand.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::claimer::Claimer;
use super::completer::Completer;
use super::engine::Engine;
use super::executor;
use super::limits::parting::part;
use super::maintenance::{Promoter, Pruner, Rescuer, Sweeper};
use super::negotiator::Negotiator;
use super::service::{Next, Service};
use super::teller::Teller;
use super::tenure::Keeper;
use super::ticker::Ticker;
use crate::Timestamp;
use crate::backend::{Batch, Promoted, Renewal, Session};
use crate::error::{Error, Result};
use crate::platform::Clock;

/// A worker that does nothing by itself: each [`step`](Stepper::step) is a fixed order of turns, so that a test sees the
/// same every time.
pub struct Stepper {
    engine: Arc<Engine>,
    claimer: Claimer,
    completer: Completer,
    negotiator: Negotiator,
    /// The last beat failed.
    silent: bool,
    ticker: Ticker,
}

impl Stepper {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        let (claimer, completer) = (Claimer::new(Arc::clone(&engine)), Completer::new(Arc::clone(&engine)));
        let negotiator = Negotiator::new(Arc::clone(&engine));
        let ticker = Ticker::new(Arc::clone(&engine));
        Self { engine, claimer, completer, negotiator, ticker, silent: false }
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

    /// Moves the test's clock on by a span, and on its way stops at each tick of a schedule and each time at which a job is due or a
    /// limit lets one start, to [`drain`](Stepper::drain) what may run then: so a day passes as a worker would have seen it. How many attempts ran. The
    /// clock is the one of the worker's client ([`ClientBuilder::clock`](crate::ClientBuilder::clock)).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use pgq::testing::{ManualClock, stepper};
    /// #[pgq::schedule("0 * * * *")]
    /// async fn sync_inventory() -> Result<(), pgq::BoxError> {
    ///     Ok(())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> pgq::Result<()> {
    /// let clock = ManualClock::at(pgq::Timestamp::EPOCH);
    /// let client = pgq::Client::builder()?.clock(clock.clone()).memory();
    /// let mut worker = stepper::<()>(&client, pgq::tasks![sync_inventory], ()).await?;
    /// assert_eq!(worker.advance(Duration::from_hours(24)).await?, 24);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The client goes by the machine's clock, or the database can't be reached.
    pub async fn advance(&mut self, span: Duration) -> Result<usize> {
        let Clock::Manual(clock) = self.engine.platform.clock.clone() else {
            return Err(Error::invalid("expected a client with a clock that a test moves: `ClientBuilder::clock`"));
        };
        let end = clock.now().saturating_add(span);
        let mut total = self.drain().await?;
        while clock.now() < end {
            let Promoted { next, opens, .. } = self.engine.session.promote(0).await?;
            let spans = next.into_iter().chain(opens).chain(self.claimer.next()).chain(self.engine.limits.next());
            let stops = spans.map(|span| clock.now().saturating_add(in_micros(span)));
            let stops = self.ticker.next().into_iter().chain(stops).filter(|stop| *stop > clock.now());
            clock.advance(stops.fold(end, Timestamp::min).since(clock.now()));
            total += self.drain().await?;
        }
        Ok(total)
    }

    /// Makes the jobs of schedules that are due, unless the worker leaves them to others, and sees to it that what it declares
    /// counts.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn tick(&mut self) -> Result<()> {
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
        Ok(self.launch(batch).await)
    }

    /// Claims once by what the worker has of limits, without a word about these, and starts what was won; how many attempts were
    /// started. What it knows of its lease is what [`beat`](Stepper::beat) has told it.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn claim(&mut self) -> Result<usize> {
        let batch = self.claimer.claim().await?.unwrap_or_default();
        Ok(self.launch(batch).await)
    }

    async fn launch(&self, batch: Batch) -> usize {
        self.engine.slots.take(batch.jobs.len());
        let started = executor::start(&self.engine, batch.jobs);
        // So that on a runtime of one thread each has run up to its first wait, and its timeout counts from now.
        tokio::task::yield_now().await;
        started
    }

    /// Another hand on the same worker, to take a turn while one of this hand's is on its way: a worker that runs by itself claims,
    /// gives signs of life and says what it has of limits at one time.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self::new(Arc::clone(&self.engine))
    }

    /// Tells it that limits have changed, as whoever changes them does: it looks at them even while it says what it has of them.
    pub fn call(&self) {
        self.engine.limits.call();
    }

    /// Takes and gives what the limits of tasks allow, as [`step`](Stepper::step) does.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn share(&mut self) -> Result<()> {
        self.engine.limits.call();
        self.negotiator.turn().await.map(drop)
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
        let mut pruner = Pruner::new(Arc::clone(&self.engine));
        self.engine.session.tidy().await?;
        while pruner.step().await? == Next::Again {}
        pruner.prune_schedules().await?;
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

    /// Writes how far the attempts that run have come, as a worker that runs by itself does once a second, and tells those to end
    /// whose job is somebody else's by now.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn tell(&mut self) -> Result<()> {
        Teller(Arc::clone(&self.engine)).turn().await.map(drop)
    }

    /// The session, for what no turn does.
    #[must_use]
    pub fn session(&self) -> &Arc<dyn Session> {
        &self.engine.session
    }

    /// Leaves: what it still holds is handed back, and what it has of rates.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn leave(self) -> Result<()> {
        part(&self.engine).await?;
        self.engine.session.deregister(false).await
    }
}

/// What a test's clock counts in, rounded up: short of a token nothing starts.
fn in_micros(span: Duration) -> Duration {
    let micros = span.as_nanos().div_ceil(1000);
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

impl fmt::Debug for Stepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stepper").field("lease", &self.engine.session.lease()).finish_non_exhaustive()
    }
}
