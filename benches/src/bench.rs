//! What every measurement is given: where, how much, how often.

use std::fmt::Write;

use anyhow::Result;

use crate::args::Args;
use crate::counts;
use crate::database::Admin;

pub(crate) struct Bench<'a> {
    pub(crate) server: &'a Admin,
    /// Why statements and what they cost aren't counted, if they aren't.
    pub(crate) uncounted: Option<&'static str>,
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
    /// By how much less there is of what stands beside.
    pub(crate) scale: u32,
}

impl<'a> Bench<'a> {
    pub(crate) async fn new(server: &'a Admin, args: &Args) -> Result<Self> {
        let (quick, uncounted) = (args.quick, uncounted(server).await?);
        Ok(Self {
            server,
            uncounted,
            rounds: args.rounds.unwrap_or(if quick { 2 } else { 4 }),
            jobs: args.jobs.unwrap_or(if quick { 40_000 } else { 200_000 }),
            slots: args.slots.unwrap_or(1_000),
            samples: if quick { 150 } else { 500 },
            seconds: if quick { 1 } else { 2 },
            scale: if quick { 20 } else { 1 },
        })
    }

    /// What a round drains where nothing else is said, and how often.
    pub(crate) fn sizes(&self) -> String {
        self.sizes_of(&self.drained())
    }

    /// What a round drains where nothing else is said, and by whom.
    pub(crate) fn drained(&self) -> String {
        format!("{} jobs, 1 worker of {} slots", self.jobs, self.slots)
    }

    /// What a round has, and how often there is one.
    pub(crate) fn sizes_of(&self, what: &str) -> String {
        format!("{what}; rounds in turns: {}, medians", self.rounds)
    }

    /// What `measure` finds in each round for each of these names, in turns from either end: who comes first finds the disk as the
    /// one before left it.
    pub(crate) async fn in_turns<T, const N: usize>(
        &self,
        names: [&str; N],
        measure: impl AsyncFn(usize) -> Result<T>,
        rate: impl Fn(&T) -> f64,
    ) -> Result<[Vec<T>; N]> {
        let mut found = [const { Vec::new() }; N];
        self.take_turns(&names, &mut found, measure, rate).await?;
        Ok(found)
    }

    /// The same where it isn't known before how many there are.
    pub(crate) async fn take_turns<T>(
        &self,
        names: &[&str],
        found: &mut [Vec<T>],
        measure: impl AsyncFn(usize) -> Result<T>,
        rate: impl Fn(&T) -> f64,
    ) -> Result<()> {
        for round in 1..=self.rounds {
            for turn in 0..names.len() {
                let which = if round % 2 == 1 { turn } else { names.len() - 1 - turn };
                found[which].push(measure(which).await?);
            }
            let mut line = format!("  round {round}:");
            for (name, found) in names.iter().zip(&*found) {
                // Writing to a string can't fail.
                let _ = write!(line, " {name} {:.0}/s", found.last().map(&rate).unwrap_or_default());
            }
            eprintln!("{line}");
        }
        Ok(())
    }
}

/// Which depends on the role, and is the same in each database that it creates.
async fn uncounted(server: &Admin) -> Result<Option<&'static str>> {
    let empty = server.empty().await?;
    let pool = empty.pool(1).await?;
    let why = counts::uncounted(&pool).await?;
    pool.close().await;
    empty.drop().await?;
    Ok(why)
}
