//! The negotiator: gets this worker its part of limits without a key, and gives back what it doesn't need (`limits.rs`), also while the
//! worker leaves (`limits/parting.rs`).

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::engine::Engine;
use super::registration::Overruled;
use super::service::{Next, Service, Signal};
use crate::Result;
use crate::backend::PoolView;
use crate::platform::{Mark, pause};

/// The time between two looks at the pools, where notices don't reach this worker.
const LOOK: Duration = Duration::from_secs(1);
/// The same where they do: whoever changes something that concerns this worker says so in the transaction that does.
const BACKSTOP: Duration = Duration::from_mins(1);
/// The time between two looks where this worker knows of no limit, and notices don't reach it. Also between two attempts to put in
/// what its code says, where something else stands.
const RARELY: Duration = Duration::from_secs(10);
/// For how long what falls free while this worker leaves adds up: where many attempts end at once it is told of together.
const TOGETHER: Duration = Duration::from_millis(50);

pub(super) struct Negotiator {
    engine: Arc<Engine>,
    looked: Option<Mark>,
    insisted: Option<Mark>,
    /// Something else stood at the last look than what its code says. That whoever said so has left is told to nobody.
    overruled: bool,
}

impl Negotiator {
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

    async fn look(&mut self, seen: u64) -> Result<()> {
        let views = self.see().await?;
        let engine = Arc::clone(&self.engine);
        let insisted = self.insisted.as_ref().is_some_and(|mark| mark.elapsed() < RARELY);
        // Whose code says otherwise and stays has the last word.
        let overruled = engine.declared.overruled_by(&views).filter(|_| !engine.limits.is_leaving());
        self.overruled = overruled.is_some();
        if overruled == Some(Overruled::Once) && !insisted {
            self.insisted = Some(engine.platform.clock.mark());
            return self.beside(seen, engine.declared.declare(&*engine.session)).await;
        }
        Ok(())
    }

    async fn see(&mut self) -> Result<Vec<PoolView>> {
        let Engine { session, limits, platform, .. } = &*self.engine;
        // One that fails is taken again: whoever has called doesn't call twice.
        self.looked = None;
        let views = limits.look(&**session).await?;
        self.looked = Some(platform.clock.mark());
        Ok(views)
    }

    async fn say(&mut self, seen: u64) -> Result<()> {
        let engine = Arc::clone(&self.engine);
        let said = self.beside(seen, say(&engine)).await;
        if said.is_err() {
            engine.limits.unsay();
        }
        said
    }

    /// Whoever is stopped may have a limit locked for seconds: what is set of others is heard all the same, while this worker says or
    /// declares something. Not both at once, as either may have locked what the other one waits for. A look that fails ends nothing of
    /// what is being said, and is taken again.
    async fn beside(&mut self, mut seen: u64, work: impl Future<Output = Result<()>> + Send) -> Result<()> {
        let (engine, is_older) = (Arc::clone(&self.engine), AtomicBool::new(false));
        let listen = async {
            loop {
                tokio::select! {
                    () = engine.limits.ask.raised(seen) => {}
                    () = engine.platform.clock.sleep(self.apart()) => {}
                }
                // What is said is mostly answered sooner.
                pause(TOGETHER).await;
                seen = engine.limits.ask.count();
                if self.is_look_due() {
                    is_older.store(true, Ordering::SeqCst);
                    if let Err(error) = self.see().await {
                        break error;
                    }
                }
            }
        };
        let mut work = pin!(work);
        let done = tokio::select! {
            biased;
            done = &mut work => done,
            failed = listen => work.await.and(Err(failed)),
        };
        if is_older.load(Ordering::SeqCst) {
            // The answer may be older than what was seen.
            engine.limits.call();
        }
        done
    }
}

/// Without an answer it is open what was heard: then the next one tells.
async fn say(engine: &Engine) -> Result<()> {
    let Engine { session, limits, .. } = engine;
    let asks = limits.asks();
    if !asks.is_empty() {
        limits.take(session.share(asks).await?);
        // What can be used by that, and what not, also where no claim follows.
        limits.judge(engine.wants_now());
    }
    let tokens = limits.foreseen();
    if !tokens.is_empty() {
        session.foretell(tokens).await?;
    }
    Ok(())
}

impl Service for Negotiator {
    const NAME: &'static str = "negotiator";

    fn signal(&self) -> Signal {
        self.engine.limits.ask.clone()
    }

    async fn turn(&mut self) -> Result<Next> {
        let seen = self.engine.limits.ask.count();
        if self.engine.limits.is_leaving() {
            pause(TOGETHER).await;
        }
        if self.is_look_due() {
            self.look(seen).await?;
        }
        self.say(seen).await?;
        Ok(match self.engine.limits.due() {
            Some(due) => Next::After(due.min(self.apart())),
            None => Next::After(self.apart().max(RARELY)),
        })
    }
}
