//! Stops a worker when there is nothing left for it to do.

use std::sync::Arc;
use std::time::Duration;

use super::engine::Engine;
use super::service::{Next, Service, Signal};
use super::shutdown::Stopper;
use crate::Result;

/// The time between two looks, of which one may take a tenth, and the longest where it takes more.
const LOOK: Duration = Duration::from_millis(200);
const PART: u32 = 10;
const MOST: Duration = Duration::from_secs(5);

/// Looks whether there is anything left. Jobs that are retried are waited for, and so are those that others run, as they may
/// fail; those whose time has not come are not.
pub(super) struct Drainer {
    engine: Arc<Engine>,
    stop: Stopper,
}

impl Drainer {
    pub(super) fn new(engine: Arc<Engine>, stop: Stopper) -> Self {
        Self { engine, stop }
    }
}

impl Service for Drainer {
    const NAME: &'static str = "drainer";

    fn signal(&self) -> Signal {
        Signal::new()
    }

    async fn turn(&mut self) -> Result<Next> {
        let engine = &self.engine;
        let asked = engine.platform.clock.mark();
        if engine.held.is_empty() && !engine.session.unfinished(Arc::clone(&engine.wants)).await? {
            self.stop.drained();
            return Ok(Next::Done);
        }
        // Where others have many that wait or are due later it walks past all of them.
        Ok(Next::After((asked.elapsed() * PART).clamp(LOOK, MOST)))
    }
}
