//! Who passes the gates of limit keys, of those that a claim has won.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Bounds;
use super::gate::Gate;
use crate::{JobId, Timestamp};

/// Where a job stands among others of its task: by rank, instant and id.
pub type Place = (i16, Timestamp, JobId);

/// When to look again at a gate that holds somebody up though nobody who has passed it will tell.
const LOOK: Duration = Duration::from_secs(1);
/// When to look again where somebody will, unless he dies between his end and that.
const BACKSTOP: Duration = Duration::from_secs(10);
/// And where the last look was in vain, or only another bound lets somebody through, which whoever sets it says.
const QUIET: Duration = Duration::from_mins(1);

/// Gates, as they stand, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gatehouse(BTreeMap<String, Post>);

/// A gate, and who is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// What it lets through.
    pub bounds: Bounds,
    /// Where it stands.
    pub gate: Gate,
    /// The first of those that wait for it elsewhere.
    pub first: Option<Place>,
    /// When to look again whether it lets somebody through, where that has to be said.
    pub opens: Option<Timestamp>,
    /// How many who have left it to pass it, before the first of those that wait, have been taken by nobody.
    pub ahead: u32,
    /// Whether somebody has passed.
    pub used: bool,
    /// When it opens, where somebody is held up until then, and nobody before was.
    pub first_opens: Option<Timestamp>,
}

impl Post {
    /// Whether it lets nobody through just now, whoever comes.
    #[must_use]
    pub fn is_closed(&self, now: Timestamp) -> bool {
        self.gate.under(self.bounds, now).room(self.bounds, now).0 == 0
    }

    /// A gate that lets one at a time through keeps those who wait in their order.
    fn is_turn(&self, place: Place) -> bool {
        self.bounds.concurrency != Some(1) || self.first.is_none_or(|first| place < first)
    }

    fn holds_up(&mut self, place: Place, now: Timestamp) -> bool {
        self.gate = self.gate.under(self.bounds, now);
        self.gate.room(self.bounds, now).0 == 0 || !self.is_turn(place)
    }

    /// When to look again, once somebody is held up.
    fn look_again(&mut self, now: Timestamp) {
        let due = self.gate.room(self.bounds, now).1;
        let noted = self.opens.filter(|opens| *opens > now);
        let alone = self.stands_open().then(|| soon(noted, now, LOOK));
        let is_first = |due: &Timestamp| self.opens.is_none_or(|opens| *due < opens);
        self.first_opens = self.first_opens.or_else(|| due.filter(is_first));
        self.opens = due.or(alone).or(noted).or_else(|| Some(now.saturating_add(self.backstop())));
    }

    fn backstop(&self) -> Duration {
        if self.bounds.concurrency == Some(0) { QUIET } else { BACKSTOP }
    }

    /// Where none may run at all only a change of its bounds lets somebody through, and whoever changes them says so.
    fn stands_open(&self) -> bool {
        self.gate.running == 0 && self.bounds.concurrency != Some(0)
    }

    /// How many may leave it. Where those who left it last time are still there, nobody may run their task: as many more go.
    fn free(&self, now: Timestamp) -> u32 {
        let room = self.gate.room(self.bounds, now).0;
        if self.is_stuck(room, now) { room.saturating_add(self.ahead) } else { room }
    }

    fn is_stuck(&self, room: u32, now: Timestamp) -> bool {
        let is_due = self.opens.is_some_and(|opens| opens <= now);
        // A fast rate opens again before anybody can have come: it has to have been left alone for as long as others.
        let quiet = |interval| self.gate.rest.saturating_add(LOOK) <= now.saturating_add(interval);
        let is_quiet = self.bounds.rate.is_none_or(|rate| quiet(rate.interval()));
        room > 0 && self.ahead > 0 && is_due && is_quiet
    }

    /// Whether the end of an attempt that has passed it may change anything: not while its rate lets nobody through, where it is looked
    /// at by the time that does. If it is due already whoever looks may have read who runs before that end, and note a later time.
    #[must_use]
    pub fn heeds_ends(&self, now: Timestamp) -> bool {
        let token = next_token(self.gate, self.bounds, now);
        self.opens.zip(token).is_none_or(|(opens, token)| opens <= now || opens > token)
    }

    /// Longer the more have left it: all workers may be busy just now.
    fn pause(&self) -> Duration {
        LOOK * (u32::BITS - self.ahead.leading_zeros()).max(1)
    }
}

impl Gatehouse {
    /// These gates.
    #[must_use]
    pub fn of(gates: impl IntoIterator<Item = (String, Post)>) -> Self {
        Self(gates.into_iter().collect())
    }

    /// Whether something is known of one of these.
    #[must_use]
    pub fn knows_any(&self, gates: &[String]) -> bool {
        gates.iter().any(|name| self.0.contains_key(name))
    }

    /// Lets a job through all the gates that it has to pass, or through none: then the first that holds it up is named. Those
    /// of which nothing is known bound nothing.
    pub fn pass<'g>(&mut self, place: Place, gates: &'g [String], now: Timestamp) -> Result<(), &'g str> {
        for name in gates {
            if let Some(post) = self.0.get_mut(name)
                && post.holds_up(place, now)
            {
                post.look_again(now);
                return Err(name);
            }
        }
        for name in gates {
            if let Some(post) = self.0.get_mut(name) {
                post.gate = post.gate.entered(post.bounds, now, 1);
                post.used = true;
            }
        }
        Ok(())
    }

    /// When the first of the gates opens that hold somebody up for a time, and held up nobody before.
    #[must_use]
    pub fn first_opens(&self) -> Option<Timestamp> {
        self.0.values().filter_map(|post| post.first_opens).min()
    }

    /// Whether somebody who has passed has to leave first.
    #[must_use]
    pub fn is_full(&self, name: &str) -> bool {
        let is_full = |post: &Post| post.bounds.concurrency.is_some_and(|most| post.gate.running >= most);
        self.0.get(name).is_some_and(is_full)
    }

    /// Whether it lets nobody through just now, whoever comes.
    #[must_use]
    pub fn is_closed(&self, name: &str, now: Timestamp) -> bool {
        self.0.get(name).is_some_and(|post| post.is_closed(now))
    }

    /// The gates, as they stand now.
    pub fn posts(&self) -> impl Iterator<Item = (&str, &Post)> {
        self.0.iter().map(|(name, post)| (name.as_str(), post))
    }
}

/// How many of those that wait at a gate, as it stands under its bounds, may leave it now, and when to look again if some stay.
#[must_use]
pub fn release(post: &Post, waiting: u32, now: Timestamp) -> (u32, Option<Timestamp>) {
    let free = post.free(now).min(waiting);
    if waiting == 0 {
        return (0, None);
    }
    if free == waiting {
        // One of them may be locked by somebody just now, and stay.
        return (free, Some(now.saturating_add(LOOK)));
    }
    if post.is_stuck(free, now) {
        return (free, Some(now.saturating_add(post.pause())));
    }
    let is_due = post.opens.is_some_and(|opens| opens <= now);
    if is_due && free == 0 && post.gate.room(post.bounds, now).1.is_none() {
        return (0, Some(now.saturating_add(QUIET)));
    }
    let mut after = Post { gate: post.gate.entered(post.bounds, now, free), ..post.clone() };
    after.look_again(now);
    // Whoever leaves it may not pass: his task may be run by nobody, or another gate hold him up.
    let noted = post.opens.filter(|opens| *opens > now);
    let pause = if post.stands_open() { post.pause() } else { BACKSTOP };
    let untaken = (free > 0).then(|| soon(noted, now, pause));
    // Whoever passes it may have left again by the time of the next token, of which whoever looks at gates has to know now.
    let token = if free > 0 { next_token(after.gate, post.bounds, now) } else { None };
    (free, after.opens.into_iter().chain(untaken).chain(token).min())
}

/// Whether it is to be looked at later than what it lets through explains: somebody has set the clock back since, or has changed its
/// bounds while another one was noting that.
#[must_use]
pub fn is_far(opens: Timestamp, gate: Gate, bounds: Bounds, now: Timestamp) -> bool {
    opens > now.saturating_add(QUIET) && next_token(gate, bounds, now).is_none_or(|token| opens > token)
}

/// When its rate lets somebody through, where that is against it now.
fn next_token(gate: Gate, bounds: Bounds, now: Timestamp) -> Option<Timestamp> {
    let paced = Bounds { concurrency: None, ..bounds };
    gate.under(paced, now).room(paced, now).1
}

/// A look that is noted for an earlier time stays: whoever leaves a busy gate needn't write it anew each time.
fn soon(noted: Option<Timestamp>, now: Timestamp, pause: Duration) -> Timestamp {
    let look = now.saturating_add(pause);
    noted.map_or(look, |noted| noted.min(look))
}

#[cfg(test)]
mod tests {
    use super::super::Rate;
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    fn post(bounds: Bounds, running: u32) -> Post {
        Post {
            bounds,
            gate: Gate { running, ..Gate::default() },
            first: None,
            opens: None,
            ahead: 0,
            used: false,
            first_opens: None,
        }
    }

    fn most(concurrency: u32) -> Bounds {
        Bounds { concurrency: Some(concurrency), rate: None }
    }

    fn place(id: i64) -> Place {
        (0, NOW, JobId(id))
    }

    fn names<const N: usize>(names: [&str; N]) -> [String; N] {
        names.map(ToOwned::to_owned)
    }

    fn after(span: Duration) -> Timestamp {
        NOW.saturating_add(span)
    }

    #[test]
    fn all_gates_have_to_let_a_job_through_and_none_is_passed_otherwise() {
        let gates = [("a".to_owned(), post(most(2), 0)), ("b".to_owned(), post(most(1), 1))];
        let mut house = Gatehouse::of(gates);
        assert_eq!(house.pass(place(1), &names(["a", "b"]), NOW), Err("b"));
        assert_eq!(house.pass(place(2), &names(["a"]), NOW), Ok(()));
        assert_eq!(house.pass(place(3), &names(["a", "unknown"]), NOW), Ok(()));
        assert_eq!(["a", "b", "unknown"].map(|name| house.is_closed(name, NOW)), [true, true, false]);
        assert_eq!(house.pass(place(4), &names(["a"]), NOW), Err("a"));
    }

    #[test]
    fn a_gate_for_one_at_a_time_keeps_the_order() {
        let first = Some(place(5));
        let mut house = Gatehouse::of([("a".to_owned(), Post { first, ..post(most(1), 0) })]);
        assert_eq!(house.pass(place(6), &names(["a"]), NOW), Err("a"));
        assert_eq!(house.posts().next().unwrap().1.opens, Some(after(LOOK)), "nobody who runs will tell");
        assert_eq!(house.pass(place(4), &names(["a"]), NOW), Ok(()));
    }

    #[test]
    fn a_gate_that_waits_for_time_says_until_when() {
        let rate = Rate::every(Duration::from_secs(3), 1);
        let mut house = Gatehouse::of([("a".to_owned(), post(Bounds { concurrency: None, rate }, 0))]);
        assert_eq!(house.pass(place(1), &names(["a"]), NOW), Ok(()));
        assert_eq!(house.pass(place(2), &names(["a"]), NOW), Err("a"));
        assert_eq!(house.posts().next().unwrap().1.opens, Some(after(Duration::from_secs(3))));
    }

    #[test]
    fn more_leave_a_gate_each_time_that_nobody_passes_it() {
        let empty = post(most(1), 0);
        assert_eq!(release(&empty, 9, NOW), (1, Some(after(LOOK))));
        let due = Post { opens: Some(NOW), ahead: 3, ..empty };
        assert_eq!(release(&due, 9, NOW), (4, Some(after(LOOK * 2))));
        assert_eq!(release(&Post { gate: Gate { running: 1, ..due.gate }, ..due.clone() }, 9, NOW).0, 0);
        assert_eq!(release(&Post { opens: Some(after(LOOK)), ..due }, 9, NOW).0, 1, "they may be taken just now");
    }

    #[test]
    fn a_fast_rate_waits_for_those_who_have_just_left_it() {
        let rate = Rate::every(Duration::from_millis(20), 1);
        let bounds = Bounds { concurrency: None, rate };
        let due = Post { opens: Some(NOW), ahead: 3, ..post(bounds, 0) };
        let busy = Post { gate: Gate { rest: NOW, ..due.gate }, ..due.clone() };
        assert_eq!(release(&busy, 9, NOW), (1, Some(after(Duration::from_millis(20)))));
        assert_eq!(release(&due, 9, NOW), (4, Some(after(LOOK * 2))), "nobody has come for long");
    }

    #[test]
    fn a_gate_that_was_looked_at_in_vain_is_left_alone_for_longer() {
        let due = |running| Post { opens: Some(NOW), ..post(most(3), running) };
        assert_eq!(release(&due(3), 5, NOW), (0, Some(after(QUIET))));
        assert_eq!(release(&due(2), 5, NOW), (1, Some(after(BACKSTOP))));
        let quiet = Post { opens: Some(after(QUIET)), ..due(2) };
        assert_eq!(release(&quiet, 5, NOW), (1, Some(after(BACKSTOP))), "he may not pass");
        let parked = Post { opens: Some(after(LOOK)), ..due(3) };
        assert_eq!(release(&parked, 5, NOW), (0, Some(after(LOOK))), "it stays as it is noted");
    }

    #[test]
    fn as_many_leave_a_gate_as_may_pass_it() {
        assert_eq!(release(&post(most(3), 1), 5, NOW), (2, Some(after(BACKSTOP))), "those who run tell");
        assert_eq!(release(&post(most(3), 1), 0, NOW), (0, None));
        assert_eq!(release(&post(most(3), 1), 1, NOW), (1, Some(after(LOOK))), "who was locked stays");
        assert_eq!(release(&post(most(0), 0), 5, NOW), (0, Some(after(QUIET))), "whoever lets some pass tells");
        assert_eq!(release(&post(Bounds::default(), 9), 5, NOW), (5, Some(after(LOOK))));
        let rate = Rate::every(Duration::from_secs(3), 2);
        let bounds = Bounds { concurrency: None, rate };
        assert_eq!(release(&post(bounds, 1), 5, NOW), (2, Some(after(Duration::from_secs(3)))));
        assert_eq!(release(&post(bounds, 0), 5, NOW), (2, Some(after(LOOK))), "nobody may take the places");
    }

    #[test]
    fn a_gate_of_both_bounds_is_looked_at_when_its_next_token_comes() {
        let bounds = Bounds { concurrency: Some(1), rate: Rate::every(Duration::from_millis(500), 1) };
        let due = Post { opens: Some(NOW), ..post(bounds, 0) };
        let token = after(Duration::from_millis(500));
        assert_eq!(release(&due, 9, NOW), (1, Some(token)), "he may have left again by then");
        let busy = Gate { running: 1, ..due.gate }.entered(bounds, NOW, 1);
        assert_eq!(
            release(&Post { gate: busy, opens: Some(token), ..due }, 9, token),
            (0, Some(token.saturating_add(QUIET)))
        );
    }

    #[test]
    fn an_end_changes_nothing_before_the_next_token_comes_where_somebody_looks_by_then() {
        let bounds = |concurrency| Bounds { concurrency, rate: Rate::every(Duration::from_secs(3), 1) };
        let heeds = |bounds, gate: Gate, opens| Post { gate, opens, ..post(bounds, 0) }.heeds_ends(NOW);
        let token = Some(after(Duration::from_secs(3)));
        for bounds in [bounds(None), bounds(Some(1))] {
            let used = Gate::default().entered(bounds, NOW, 1);
            assert!(!heeds(bounds, used, token) && !heeds(bounds, used, Some(after(LOOK))));
            assert!(heeds(bounds, used, Some(after(BACKSTOP))), "the token is there before");
            assert!(heeds(bounds, used, Some(NOW)), "somebody may be looking");
            assert!(heeds(bounds, used, None), "nobody looks");
            assert!(heeds(bounds, Gate::default(), token), "there is a token");
        }
        assert!(heeds(most(1), Gate { running: 1, ..Gate::default() }, token), "it is what those who run leave");
        assert!(heeds(Bounds::default(), Gate::default(), token), "all may pass");
    }

    #[test]
    fn who_waits_for_longer_than_a_gate_explains_is_looked_at() {
        let bounds = |minutes| Bounds { concurrency: Some(1), rate: Rate::every(Duration::from_mins(minutes), 2) };
        let (day, busy) = (bounds(24 * 60), Gate { running: 1, ..Gate::default() }.entered(bounds(24 * 60), NOW, 2));
        let opens = after(Duration::from_hours(24));
        assert!(!is_far(opens, busy, day, NOW));
        assert!(is_far(opens, busy, day, NOW.saturating_sub(Duration::from_hours(1))), "the clock was set back");
        assert!(is_far(opens, busy, bounds(60), NOW), "the rate was raised");
        assert!(is_far(opens, busy, most(1), NOW), "it was lifted");
        assert!(!is_far(after(QUIET), busy, most(1), NOW), "that is soon");
    }
}
