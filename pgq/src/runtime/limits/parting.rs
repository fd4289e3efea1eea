//! What a worker that leaves gives back of rates, with what has filled of them.
//!
//! What it doesn't give back comes back empty when it has left, as nobody knows what was started with it. A rate that takes longer
//! to fill than workers live would never let anything start.

use super::Limits;
use crate::Result;
use crate::backend::{Ask, PoolName};
use crate::runtime::engine::Engine;

/// Once no claim is made any more.
pub(in crate::runtime) async fn part(engine: &Engine) -> Result<()> {
    let Engine { session, limits, .. } = engine;
    // What it was given and hasn't heard of comes with tokens, which only who hears of it can give back.
    for asks in [Limits::open, Limits::returns] {
        let asks = asks(limits);
        if !asks.is_empty() {
            limits.take(session.share(asks).await?);
        }
    }
    Ok(())
}

impl Limits {
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

    /// All units of rates that no claim in flight may still win something with.
    fn returns(&self) -> Vec<(PoolName, Ask)> {
        self.with(|state| {
            let idle = state.pools.iter_mut().filter(|pool| pool.is_rate() && pool.units > 0 && pool.held == 0);
            let asks = idle.filter_map(|pool| {
                pool.fill(&self.clock);
                let micros = pool.bucket.as_mut().map_or(0, |(bucket, _)| bucket.give(pool.units));
                pool.units = 0;
                Some((pool.name.clone()?, Ask { micros, ..Ask::default() }))
            });
            asks.collect()
        })
    }
}
