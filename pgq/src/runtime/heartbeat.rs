//! The heartbeat: the worker's sign of life and its ear, on an OS thread, a runtime and a connection of their own, so that
//! a handler which blocks the runtime keeps its lease. With each sign of life it looks for what the other services wait for
//! (`lookout.rs`): so a worker that rests asks the database once, and not for each of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pgq_core::lease;

use super::engine::Engine;
use super::lookout::{Ask, LOOK};
use super::service::{Next, Service, Signal};
use crate::backend::{LookFor, Notice, Pulse, Renewal};
use crate::error::{Error, Kind, Result};
use crate::platform::{Mark, within};

/// For how long a beat holds, unless told otherwise.
pub(super) const LEASE: Duration = Duration::from_secs(15);
/// A shorter one would run out in a moment's silence.
const SHORTEST: Duration = Duration::from_secs(1);
/// The time between two beats while another worker is missed, who is lost after twice as long.
const MISSING: Duration = Duration::from_millis(250);

/// A longer one would leave the jobs of a worker that nobody sees die where they are for as long.
const LONGEST: Duration = Duration::from_hours(1);

/// Whether a lease is one that a worker can hold.
pub(super) fn check_lease(span: Duration) -> Result<Duration> {
    if span < SHORTEST {
        return Err(Error::invalid(format!("expected a lease of at least 1 s, got {span:?}")));
    }
    if span > LONGEST {
        return Err(Error::invalid(format!("expected a lease of at most 1 h, got {span:?}")));
    }
    Ok(span)
}

pub(super) struct Heartbeat {
    engine: Arc<Engine>,
    pulse: Option<Box<dyn Pulse>>,
    last: Option<Mark>,
    /// Another worker was there and isn't now.
    missing: bool,
    /// Whether its worker's session ends when nothing can be heard.
    must_hear: bool,
    signal: Signal,
}

impl Heartbeat {
    pub(super) fn new(engine: Arc<Engine>, must_hear: bool) -> Self {
        Self { engine, pulse: None, last: None, missing: false, must_hear, signal: Signal::new() }
    }

    async fn open(&mut self) -> Result<()> {
        let pulse = self.engine.session.attend().await?;
        self.engine.hears.store(pulse.hears(), Ordering::SeqCst);
        self.engine.limits.hear_by(pulse.hears());
        self.pulse = Some(pulse);
        if self.last.is_some() {
            // We had been connected: perhaps the server has crashed meanwhile, and forgotten what it didn't have on disk.
            self.engine.doubts.raise();
        }
        // What came while nobody listened notified nobody.
        self.pass_on(Notice::ALL);
        // At once, so that others know that it was there should it end the next moment, and it knows them.
        self.beat(None).await?;
        self.watch().await
    }

    fn close(&mut self) {
        self.pulse = None;
        self.engine.look_alone();
        self.engine.hears.store(false, Ordering::SeqCst);
        // Who relied on being told looks by himself from now on.
        self.engine.limits.ask.raise();
    }

    fn pass_on(&self, notice: Notice) {
        if notice.work {
            self.engine.stir.raise();
        }
        if notice.soon {
            self.engine.due.raise();
        }
        if notice.limits {
            self.engine.limits.call();
        }
    }

    /// Looks too, where that is due and isn't slow.
    async fn beat_and_look(&mut self) -> Result<()> {
        let asked = match self.engine.lookout.asks(self.engine.platform.clock.mark()) {
            Ask::For(asked) => asked,
            Ask::Nothing => return self.beat(None).await,
            Ask::Slow => {
                self.engine.look_alone();
                return self.beat(None).await;
            }
        };
        match self.beat(Some(asked)).await {
            // It was the look that was too much: the sign of life gets through without.
            Err(error) if !error.is_away() => {
                tracing::debug!(error = error.in_line(), "beats look for nothing for a while");
                self.engine.look_alone();
                self.beat(None).await
            }
            beaten => beaten,
        }
    }

    /// A link that is half open stays silent for ever, hence the limit. What takes longer than the time between two looks nobody waits for.
    async fn beat(&mut self, asked: Option<LookFor>) -> Result<()> {
        self.engine.held.look(self.engine.platform.clock.now());
        let Some(pulse) = &mut self.pulse else { return Ok(()) };
        let (sent, limit) = (self.engine.platform.clock.mark(), self.engine.lease / 3);
        let mut answer = pulse.look(asked.clone().unwrap_or_default());
        let mut answered = within(LOOK.min(limit), &mut answer).await;
        if answered.is_none() && LOOK < limit {
            self.engine.look_alone();
            answered = within(limit.saturating_sub(LOOK), &mut answer).await;
        }
        drop(answer);
        let answered = answered.unwrap_or_else(|| Err(Error::new(Kind::Unreachable, "a beat got no answer")));
        if answered.is_err() && asked.is_some() {
            self.engine.lookout.looked_in_vain(sent.clone());
        }
        let (renewal, seen) = answered?;
        let was_silent = self.is_silent();
        self.last = Some(self.engine.platform.clock.mark());
        if let Renewal::Alive { .. } = &renewal {
            if was_silent {
                self.engine.limits.say_again();
            }
            match &asked {
                Some(_) => self.engine.lookout.answered(sent.clone()),
                None => self.engine.lookout.beaten(&sent),
            }
            self.engine.heed(&asked.unwrap_or_default(), &seen, lease::rest(self.engine.lease));
        }
        match renewal {
            Renewal::Alive { cancelled } => {
                if self.engine.tenure.renew(sent) {
                    tracing::info!("a sign of life was accepted again: this worker goes on");
                    self.engine.stir.raise();
                }
                for cancelled in &cancelled {
                    self.engine.held.cancel(cancelled);
                }
                if seen.forgetful {
                    self.engine.doubts.raise();
                    self.engine.stir.raise();
                }
            }
            Renewal::Gone if self.engine.halt.close.is_cancelled() => {}
            Renewal::Gone => {
                tracing::error!("this worker was declared gone: its jobs are others' now");
                self.engine.halt.lost.cancel();
            }
        }
        Ok(())
    }

    /// Whether others may have taken this worker for one that is stopped, since its last beat.
    fn is_silent(&self) -> bool {
        let lease = self.engine.lease;
        // A beat's way to the database isn't always as long.
        let span = lease::silence(lease).saturating_sub(lease::rest(lease) / 2);
        self.last.as_ref().is_some_and(|last| last.elapsed() >= span)
    }

    async fn watch(&mut self) -> Result<()> {
        let Some(pulse) = &mut self.pulse else { return Ok(()) };
        let watched = within(self.engine.lease / 3, pulse.watch()).await;
        let watched = watched.unwrap_or_else(|| Err(Error::new(Kind::Unreachable, "a look got no answer")))?;
        self.missing = watched.missing;
        if watched.gone > 0 {
            tracing::warn!(workers = watched.gone, "workers are gone: their connections have ended");
            self.engine.lost_one.raise();
        }
        Ok(())
    }

    /// How long until the next beat.
    fn rest(&self) -> Duration {
        let beat = lease::rest(self.engine.lease);
        let span = if self.missing { beat.min(MISSING) } else { beat };
        self.last.as_ref().map_or(Duration::ZERO, |last| span.saturating_sub(last.elapsed()))
    }

    async fn listen(&mut self) -> Result<()> {
        let rest = self.rest();
        let Some(pulse) = &mut self.pulse else { return Ok(()) };
        let notice = tokio::select! {
            notice = pulse.notice() => notice?,
            () = self.engine.halt.still.cancelled() => return Ok(()),
            () = self.engine.platform.clock.sleep(rest) => {
                self.beat_and_look().await?;
                return self.watch().await;
            }
        };
        self.pass_on(notice);
        if notice.told { self.beat_and_look().await } else { Ok(()) }
    }
}

impl Service for Heartbeat {
    const NAME: &'static str = "heartbeat";

    /// A beat that comes later is of no use.
    const LEAST: Duration = Duration::ZERO;

    fn signal(&self) -> Signal {
        self.signal.clone()
    }

    async fn turn(&mut self) -> Result<Next> {
        if self.engine.halt.lost.is_cancelled() {
            return Ok(Next::Done);
        }
        let heard = if self.pulse.is_none() { self.open().await } else { self.listen().await };
        if let Err(error) = heard {
            self.close();
            let halt = &self.engine.halt;
            if self.must_hear && !halt.drain.is_cancelled() {
                tracing::error!(?error, "new jobs can't be heard of: this worker stops, as it was told to");
                halt.deaf.cancel();
                halt.drain.cancel();
            }
            return Err(error);
        }
        Ok(Next::Again)
    }
}
