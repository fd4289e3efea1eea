//! What a look at one schedule does about it.

use super::{Cadence, Due, Missed, Overlap, due};
use crate::Timestamp;

/// Where a schedule stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The last tick that is accounted for.
    pub last: Timestamp,
    /// A tick that waits for the job before it to finish.
    pub waiting: Option<Timestamp>,
    /// Whether the job of the last tick that made one isn't finished.
    pub busy: bool,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The ticks that make a job each, in order.
    pub fire: Vec<Timestamp>,
    /// The last tick that is accounted for then.
    pub last: Timestamp,
    /// The tick that waits then.
    pub waiting: Option<Timestamp>,
    /// When to look again; `None` at the end of the calendar.
    pub next: Option<Timestamp>,
}

impl Plan {
    /// Its first part, where it makes more than `most` jobs, and whether it is only that: a later look goes on behind it.
    #[must_use]
    pub fn part(self, most: usize) -> (Self, bool) {
        match self.fire.get(most..).zip(self.fire.get(..most)) {
            Some(([_, ..], [first @ .., last])) => {
                let (fire, last) = ([first, &[*last]].concat(), *last);
                (Self { fire, last, waiting: None, next: self.next }, true)
            }
            _ => (self, false),
        }
    }
}

/// Decides it. Where jobs mustn't overlap, of several ticks that are due the latest counts.
#[must_use]
pub fn plan(cadence: &Cadence, missed: Missed, overlap: Overlap, standing: Standing, now: Timestamp) -> Plan {
    let Due { ticks, last, next } = due(cadence, missed, standing.last, now);
    let latest = ticks.last().copied();
    let (fire, waiting) = match overlap {
        Overlap::Allow => (ticks, None),
        Overlap::Skip if standing.busy => (Vec::new(), None),
        Overlap::Skip => (Vec::from_iter(latest), None),
        Overlap::Queue if standing.busy => (Vec::new(), latest.or(standing.waiting)),
        Overlap::Queue => (Vec::from_iter(latest.or(standing.waiting)), None),
    };
    Plan { fire, last, waiting, next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_plan_ends_with_its_last_job() {
        let ticks: Vec<_> = (1..=5).map(Timestamp::from_micros).collect();
        let plan = Plan { fire: ticks.clone(), last: Timestamp::from_micros(9), waiting: None, next: None };
        let (part, is_part) = plan.clone().part(2);
        assert_eq!((part.fire, part.last, is_part), (ticks[..2].to_vec(), ticks[1], true));
        assert_eq!(plan.clone().part(5), (plan.clone(), false));
        assert_eq!(plan.clone().part(9), (plan, false));
    }

    #[test]
    fn a_tick_beside_an_unfinished_job_does_what_is_said_of_overlaps() {
        let cadence = Cadence::cron("* * * * *", "UTC").unwrap();
        let [before, tick, now] = [60, 120, 121].map(|seconds| Timestamp::from_micros(seconds * 1_000_000));
        let idle = Standing { last: before, waiting: None, busy: false };
        let (busy, over) = (Standing { busy: true, ..idle }, Standing { last: tick, waiting: Some(tick), busy: false });
        let table = [
            (Overlap::Allow, busy, vec![tick], None),
            (Overlap::Skip, busy, vec![], None),
            (Overlap::Skip, idle, vec![tick], None),
            (Overlap::Queue, busy, vec![], Some(tick)),
            (Overlap::Queue, Standing { busy: true, ..over }, vec![], Some(tick)),
            (Overlap::Queue, over, vec![tick], None),
        ];
        for (overlap, standing, fire, waiting) in table {
            let plan = plan(&cadence, Missed::Once, overlap, standing, now);
            assert_eq!((plan.fire, plan.waiting, plan.last), (fire, waiting, tick), "{overlap:?} {standing:?}");
        }
    }
}
