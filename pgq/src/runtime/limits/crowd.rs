//! What a worker does about limits while all its slots are taken.
//!
//! It could start nothing with units: what it has goes to others after 20 ms, and what it lacks isn't asked for, or units would go round
//! among those who can start nothing. As soon as a slot is free it asks for what it had to do without, and keeps the slot for that for
//! a moment, as what came only beside the claim would find the slot taken again. Each time that this was in vain it is longer until the
//! next one: the units may run something elsewhere, and nothing else is to be held up for that.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Limits, State};
use crate::platform::Mark;
use crate::runtime::pool::{Pool, Room};

/// How long a free slot is kept for what is asked for.
pub(in crate::runtime) const KEPT: Duration = Duration::from_millis(50);
/// The time until one is kept again, and after it was in vain, which doubles each time.
const SOON: Duration = Duration::from_millis(100);
const LATER: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(8);

/// When a slot was kept last, and for how long none is.
#[derive(Debug, Default)]
pub(in crate::runtime) struct Asking(Option<(Mark, Duration)>);

impl Asking {
    pub(in crate::runtime) fn is_due(&self) -> bool {
        self.0.as_ref().is_none_or(|(mark, pause)| mark.elapsed() >= *pause)
    }

    /// A slot was kept until now, in vain or not.
    pub(in crate::runtime) fn was(&mut self, granted: bool, now: Mark) {
        let before = self.0.as_ref().map_or(Duration::ZERO, |(_, pause)| *pause);
        self.0 = Some((now, if granted { SOON } else { (before * 2).clamp(LATER, LATEST) }));
    }
}

impl Limits {
    /// All slots are taken.
    pub(in crate::runtime) fn crowd_out(&self) {
        let ask = self.with(|state| {
            let mut ask = false;
            for pool in state.pools.iter_mut().filter(|pool| pool.name.is_some()) {
                pool.crowd_out(&self.clock);
                ask |= pool.blocked || pool.owes();
            }
            ask
        });
        if ask {
            self.ask.raise();
        }
    }

    /// A slot is free: which pools are asked for something anew that had to be done without while none was. With all that is elsewhere of
    /// what bounds their tasks, as none waits with one thing for the other.
    pub(in crate::runtime) fn ask_again(&self) -> Vec<usize> {
        let asked = self.with(|state| {
            let State { pools, of_task, slots, .. } = state;
            let missed: BTreeSet<usize> =
                (0..pools.len()).filter(|pool| std::mem::take(&mut pools[*pool].missed)).collect();
            let beside = of_task.values().filter(|all| all.iter().any(|pool| missed.contains(pool))).flatten();
            let beside = beside.copied().filter(|pool| matches!(pools[*pool].room(), Room::Elsewhere));
            let all: BTreeSet<usize> = beside.chain(missed.iter().copied()).collect();
            all.into_iter().filter(|pool| pools[*pool].ask_again(*slots)).collect::<Vec<_>>()
        });
        if !asked.is_empty() {
            self.ask.raise();
        }
        asked
    }

    /// Waits until there is something of all that was asked for.
    pub(in crate::runtime) async fn granted(&self, asked: &[usize]) {
        loop {
            let seen = self.answered.count();
            let waits = |pool: &Pool| pool.blocked && !matches!(pool.room(), Room::Some(_));
            if !self.with(|state| asked.iter().any(|pool| waits(&state.pools[*pool]))) {
                return;
            }
            self.answered.raised(seen).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{Clock, ManualClock};

    #[test]
    fn a_slot_is_kept_less_often_each_time_that_it_was_in_vain() {
        let time = ManualClock::at(pgq_core::Timestamp::EPOCH);
        let clock = Clock::Manual(time.clone());
        let mut asking = Asking::default();
        assert!(asking.is_due());
        let asked = [
            (false, 1_000),
            (false, 2_000),
            (false, 4_000),
            (false, 8_000),
            (false, 8_000),
            (true, 100),
            (false, 1_000),
        ];
        for (granted, millis) in asked {
            asking.was(granted, clock.mark());
            time.advance(Duration::from_millis(millis - 1));
            assert!(!asking.is_due(), "{millis} ms aren't over");
            time.advance(Duration::from_millis(1));
            assert!(asking.is_due(), "{millis} ms are over");
        }
    }
}
