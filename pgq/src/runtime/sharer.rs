//! The sharer: gets this worker its part of limits without a key, and gives back what it doesn't need (`limits.rs`).

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use super::engine::Engine;
use super::service::{Next, Service, Signal};
use crate::Result;
use crate::platform::Mark;

/// The time between two looks at the pools, where notices don't reach this worker.
const LOOK: Duration = Duration::from_secs(1);
/// The same where they do: whoever changes something that concerns this worker says so in the transaction that does.
const BACKSTOP: Duration = Duration::from_mins(1);
/// The time between two looks where this worker knows of no limit, and notices don't reach it. Also between two attempts to put in
/// what its code says, where something else stands.
const RARELY: Duration = Duration::from_secs(10);

pub(super) struct Sharer {
    engine: Arc<Engine>,
    looked: Option<Mark>,
    insisted: Option<Mark>,
    /// Something else stood at the last look than what its code says. That whoever said so has left is told to nobody.
    overruled: bool,
}

impl Sharer {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, looked: None, insisted: None, overruled: false }
    }

    fn is_look_due(&self) -> bool {
        let apart = self.apart();
        self.engine.limits.hear() || self.looked.as_ref().is_none_or(|mark| mark.elapsed() >= apart)
    }

    fn apart(&self) -> Duration {
        match self.engine.hears() {
            true if self.overruled => RARELY,
            true => BACKSTOP,
            false => LOOK,
        }
    }

    async fn look(&mut self) -> Result<()> {
        let Engine { session, limits, declared, platform, .. } = &*self.engine;
        let views = session.pools().await?;
        limits.see(&views);
        self.looked = Some(platform.clock.mark());
        let insisted = self.insisted.as_ref().is_some_and(|mark| mark.elapsed() < RARELY);
        self.overruled = declared.is_overruled_by(&views);
        if self.overruled && !insisted {
            self.insisted = Some(platform.clock.mark());
            declared.declare(&**session).await?;
        }
        Ok(())
    }

    /// Whoever is stopped may have a limit locked for seconds: what is set of others meanwhile is heard all the same.
    async fn say(&mut self, mut seen: u64) -> Result<()> {
        let engine = Arc::clone(&self.engine);
        let (mut said, mut is_older) = (pin!(say(&engine)), false);
        loop {
            tokio::select! {
                biased;
                said = &mut said => {
                    if is_older {
                        engine.limits.call();
                    }
                    return said;
                }
                () = engine.limits.ask.raised(seen) => {}
                () = engine.platform.clock.sleep(self.apart()) => {}
            }
            seen = engine.limits.ask.count();
            if self.is_look_due() {
                self.look().await?;
                is_older = true;
            }
        }
    }
}

/// Without an answer it is open what was heard: then the next one tells.
async fn say(engine: &Engine) -> Result<()> {
    let asks = engine.limits.asks();
    if asks.is_empty() {
        return Ok(());
    }
    let portions = engine.session.share(asks).await?;
    engine.limits.take(portions);
    Ok(())
}

impl Service for Sharer {
    const NAME: &'static str = "sharer";

    fn signal(&self) -> Signal {
        self.engine.limits.ask.clone()
    }

    async fn turn(&mut self) -> Result<Next> {
        let seen = self.engine.limits.ask.count();
        if self.is_look_due() {
            self.look().await?;
        }
        self.say(seen).await?;
        Ok(match self.engine.limits.due() {
            Some(due) => Next::After(due.min(self.apart())),
            None if self.engine.hears() && !self.overruled => Next::OnSignal,
            None => Next::After(RARELY),
        })
    }
}
