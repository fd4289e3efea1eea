//! What a worker that leaves gives back: at once what runs nothing, of rates with what has filled of them, and what its attempts that
//! still run leave free as they end. It asks for nothing more, and goes on saying what it runs, as others may wait for that.
//!
//! What it doesn't give back of a rate comes back empty when it has left, as nobody knows what was started with it. A rate that takes
//! longer to fill than workers live would never let anything start.

use std::sync::Arc;

use super::Limits;
use crate::Result;
use crate::backend::{Ask, PoolName};
use crate::runtime::engine::Engine;
use crate::runtime::negotiator::Negotiator;
use crate::runtime::service::drive;

/// Once no claim is made any more: from now on nothing is kept that doesn't run.
pub(in crate::runtime) async fn part(engine: &Engine) -> Result<()> {
    let Engine { session, limits, .. } = engine;
    limits.leave();
    // What it was given and hasn't heard of comes with tokens, which only who hears of it can give back.
    for asks in [Limits::open, Limits::asks] {
        let asks = asks(limits);
        if !asks.is_empty() {
            limits.take(session.share(asks).await?);
        }
    }
    Ok(())
}

/// Gives back what falls free, until it is dropped.
pub(in crate::runtime) async fn give(engine: &Arc<Engine>) {
    drive(Negotiator::new(Arc::clone(engine)), Arc::clone(engine), engine.halt.close.clone()).await;
}

impl Limits {
    /// Nothing is started any more.
    fn leave(&self) {
        self.with(|state| {
            state.leaving = true;
            state.pools.iter_mut().for_each(|pool| pool.leaving = true);
        });
    }

    pub(in crate::runtime) fn is_leaving(&self) -> bool {
        self.with(|state| state.leaving)
    }

    /// Of which rates it is open what this worker has.
    fn open(&self) -> Vec<(PoolName, Ask)> {
        self.with(|state| {
            let open = state.pools.iter_mut().filter(|pool| pool.is_rate() && (pool.stale || pool.wished > 0));
            let names = open.filter_map(|pool| {
                pool.wished = 0;
                pool.name.clone()
            });
            names.map(|name| (name, Ask { keep: u32::MAX, ..Ask::default() })).collect()
        })
    }
}
