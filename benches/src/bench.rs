//! What every measurement is given: where, how much, how often.

use crate::args::Args;
use crate::database::Admin;

pub(crate) struct Bench {
    pub(crate) server: Admin,
    /// How often ours and the baseline take turns.
    pub(crate) rounds: u32,
    /// How many jobs a round drains or enqueues in bulk.
    pub(crate) jobs: u32,
    /// How many slots the draining worker has.
    pub(crate) slots: usize,
    /// How many latencies are sampled, over all rounds.
    pub(crate) samples: u32,
    /// For how many seconds a round enqueues one by one.
    pub(crate) seconds: u64,
}

impl Bench {
    pub(crate) fn new(server: Admin, args: &Args) -> Self {
        let quick = args.quick;
        Self {
            server,
            rounds: args.rounds.unwrap_or(if quick { 2 } else { 4 }),
            jobs: args.jobs.unwrap_or(if quick { 50_000 } else { 200_000 }),
            slots: args.slots.unwrap_or(1_000),
            samples: if quick { 200 } else { 500 },
            seconds: if quick { 1 } else { 2 },
        }
    }
}
