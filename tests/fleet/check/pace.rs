//! How many start in how long: in no window more than `burst + x · t`, where `x · t` is added up over the rates in force in it and
//! the burst is the largest of them.
//!
//! There is no allowance. A window goes from the earliest instant at which its first attempt can have been let through to the
//! latest for its last one, both by the database's clock (`ledger.rs`), and so is never shorter than the one that was counted.

use crate::check::{Approach, Violation, shown};
use crate::ledger::Attempt;
use crate::limits::Limit;
use crate::timeline::Timeline;

/// For what the numbers of seconds are rounded by.
const ROUNDED: f64 = 1e-4;

/// Of the windows with less than one start to spare, or else the least, that with the most starts.
#[derive(Default)]
pub(super) struct Tightest(Option<Window>);

#[derive(Clone, Copy)]
struct Window {
    first: usize,
    last: usize,
    allowed: f64,
    span: f64,
}

impl Window {
    fn spare(&self) -> f64 {
        self.allowed - count(self.last - self.first + 1)
    }

    /// How near it comes: one more would have been too many, and of these the longest.
    fn nearness(&self) -> (f64, f64) {
        (-self.spare().floor(), count(self.last - self.first))
    }
}

impl Tightest {
    pub(super) fn said(&self, limit: &Limit) -> Option<Approach> {
        let Window { first, last, allowed, span } = self.0?;
        let said = format!("{} of {:.1} in {span:.2} s", last - first + 1, allowed);
        Some(Approach { what: format!("{}, burst + x·t", limit.what), said })
    }
}

pub(super) fn check(
    limit: &Limit,
    attempts: &[&Attempt],
    timeline: &Timeline,
    tightest: &mut Tightest,
) -> Option<Violation> {
    let mut starts: Vec<&Attempt> = attempts.to_vec();
    starts.sort_by(|a, b| a.let_through.1.total_cmp(&b.let_through.1));
    let windows: Vec<Window> = windows(&starts, timeline).collect();
    let window = *windows.iter().min_by(|a, b| a.spare().total_cmp(&b.spare()))?;
    for window in windows {
        if tightest.0.is_none_or(|known| window.nearness() > known.nearness()) {
            tightest.0 = Some(window);
        }
    }
    (window.spare() < -ROUNDED).then(|| {
        let Window { first, last, allowed, span } = window;
        let (count, at) = (last - first + 1, starts[last].let_through.1);
        let key = &starts[last].key;
        let what = format!("{count} starts of {} {key} in {span:.4} s, which may be {allowed:.4}", limit.what);
        Violation { at, what, there: shown(starts[first..=last].iter().rev().copied(), at) }
    })
}

/// For each burst, of the windows in which no larger one may be in force, that with the least to spare up to each start.
fn windows(starts: &[&Attempt], timeline: &Timeline) -> impl Iterator<Item = Window> {
    // One that was let through after another may have been so before it, where both were at it at a time.
    let mut early: Vec<f64> = starts.iter().map(|start| start.let_through.0).collect();
    for place in (1..early.len()).rev() {
        early[place - 1] = early[place - 1].min(early[place]);
    }
    let bursts = timeline.bursts().into_iter();
    let spans = bursts.flat_map(|burst| timeline.up_to(burst).into_iter().map(move |span| (burst, span)));
    spans.flat_map(move |(burst, (from, until))| {
        let first = early.partition_point(|at| *at < from);
        let mut worst: Option<(f64, usize)> = None;
        let mut found = Vec::new();
        for last in (first..starts.len()).take_while(|place| starts[*place].let_through.1 < until) {
            // Of two windows with the same end that one has less to spare which has more starts for the tokens that came in.
            let behind = timeline.tokens(from, early[last]) - count(last);
            if worst.is_none_or(|(known, _)| behind > known) {
                worst = Some((behind, last));
            }
            let Some((_, first)) = worst else { continue };
            let (at, since) = (starts[last].let_through.1, early[first]);
            let allowed = f64::from(burst) + timeline.tokens(since, at);
            found.push(Window { first, last, allowed, span: at - since });
        }
        found
    })
}

#[expect(clippy::cast_precision_loss, reason = "starts of minutes")]
const fn count(starts: usize) -> f64 {
    starts as f64
}
