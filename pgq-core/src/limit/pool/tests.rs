use super::super::MICROS;
use super::super::share::Awaited;
use super::*;

use std::time::Duration;

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
const A: Lease = Lease(1);
const B: Lease = Lease(2);

fn slots(cap: u32) -> Pool {
    Pool { cap: Some(cap), rate: None, was: None, shares: Vec::new(), orphaned: 0, begun: 0 }
}

fn rate(burst: u32) -> Pool {
    let rate = Rate::every(Duration::from_secs(1), burst).unwrap();
    let rate = Some((rate, u64::from(burst) * MICROS, NOW));
    Pool { cap: Some(burst), rate, was: None, shares: Vec::new(), orphaned: 0, begun: 0 }
}

fn after(millis: u64) -> Timestamp {
    NOW.saturating_add(Duration::from_millis(millis))
}

fn wish(units: u32) -> Ask {
    Ask { wish: units, keep: u32::MAX, micros: 0, held: 0, ..Ask::default() }
}

#[test]
fn who_asks_first_gets_what_he_wants_and_comes_down_when_another_starves() {
    let first = slots(5).balance(A, wish(9), NOW);
    assert_eq!((first.portion.units, first.portion.owed, first.tell), (5, Owed::Nothing, vec![]));
    let second = first.pool.balance(B, wish(9), NOW);
    assert_eq!((second.portion.units, second.tell), (0, vec![A]));
    let back = second.pool.balance(A, Ask { keep: 4, micros: 0, wish: 4, held: 0, ..Ask::default() }, NOW);
    assert_eq!((back.portion.units, back.portion.owed, back.tell), (4, Owed::Beyond(2), vec![B]));
    let even = back.pool.balance(A, Ask { keep: 3, micros: 0, wish: 3, held: 0, ..Ask::default() }, NOW);
    assert_eq!((even.portion.units, even.portion.owed), (3, Owed::Spare));
    assert_eq!(even.pool.balance(B, wish(9), NOW).portion.units, 2);
}

#[test]
fn who_has_to_come_down_is_told_so_once() {
    let pool = slots(1).balance(A, wish(1), NOW).pool;
    let first = pool.balance(B, wish(1), NOW);
    assert_eq!(first.tell, [A]);
    let again = first.pool.balance(Lease(3), wish(1), after(1));
    assert_eq!(again.tell, []);
    assert_eq!(again.pool.redivide(after(2)).tell, [A], "after a change he is told whatever he knew");
}

#[test]
fn one_unit_goes_to_and_fro() {
    let pool = slots(1).balance(A, wish(1), NOW).pool.balance(B, wish(1), NOW).pool;
    let back = pool.balance(A, Ask { keep: 0, micros: 0, wish: 1, held: 0, ..Ask::default() }, after(20));
    assert_eq!((back.portion.units, back.tell), (0, vec![B]));
    let there = back.pool.balance(B, wish(1), after(21));
    assert_eq!((there.portion.units, there.portion.owed), (1, Owed::Beyond(0)));
}

#[test]
fn with_fewer_units_than_workers_each_has_its_turn() {
    const C: Lease = Lease(3);
    let mut pool = slots(2);
    for lease in [A, B, C] {
        pool = pool.balance(lease, wish(2), NOW).pool;
    }
    // The first one had both, and comes down.
    let gives = Ask { keep: 0, micros: 0, wish: 2, held: 0, ..Ask::default() };
    let units = |pool: &Pool| [A, B, C].map(|lease| pool.portion(lease, NOW).units);
    assert_eq!(units(&pool), [2, 0, 0]);
    let mut has_had = [0; 3];
    for millis in 1..=12 {
        let lease = [A, B, C]
            .into_iter()
            .filter(|lease| pool.portion(*lease, NOW).units > 0)
            .min_by_key(|lease| pool.shares.iter().find(|share| share.lease == *lease).map(|share| share.since));
        pool = pool.balance(lease.unwrap(), gives, after(20 * millis)).pool;
        for (had, units) in has_had.iter_mut().zip(units(&pool)) {
            *had += units;
        }
    }
    assert!(has_had.iter().all(|had| *had >= 6), "{has_had:?}");
}

/// This one has given no sign of life for long.
fn silent(mut pool: Pool, lease: Lease) -> Pool {
    pool.shares.iter_mut().filter(|share| share.lease == lease).for_each(|share| share.silent = true);
    pool
}

#[test]
fn who_is_silent_is_given_nothing_until_he_asks_and_is_told_of_what_is_free_once() {
    const C: Lease = Lease(3);
    let back = Ask { keep: 0, ..wish(0) };
    let given = |wishes: u32| {
        let pool = slots(3).balance(A, wish(3), NOW).pool.balance(B, wish(3), after(1)).pool;
        silent(pool.balance(C, wish(wishes), after(2)).pool, B).balance(A, back, after(3))
    };
    let units = |pool: &Pool| [B, C].map(|lease| pool.portion(lease, NOW).units);
    let (three, one) = (given(3), given(1));
    assert_eq!((units(&three.pool), three.tell), ([0, 3], vec![C]), "the other one came first, but may be stopped");
    assert_eq!((units(&one.pool), one.tell), ([0, 1], vec![C, B]));
    assert!(one.pool.portion(B, NOW).passed_over);
    let again = silent(one.pool, B).balance(C, back, after(4));
    assert_eq!((units(&again.pool), &*again.tell), ([0, 0], &[][..]));
    let asked = again.pool.balance(B, wish(3), after(5));
    assert_eq!((asked.portion.units, asked.portion.passed_over), (3, false));
    let spoken = three.pool.balance(B, wish(3), after(4)).pool.balance(A, wish(3), after(5)).pool;
    assert_eq!(units(&spoken.balance(C, back, after(6)).pool), [2, 0], "who asks lives, and has kept his place");
}

#[test]
fn what_who_is_silent_is_not_given_others_use() {
    let waits = slots(3).balance(A, wish(3), NOW).pool.balance(B, wish(3), after(1));
    assert_eq!((waits.portion.units, waits.tell), (0, vec![A]));
    let fewer = silent(waits.pool, B).balance(A, Ask { keep: 2, ..wish(3) }, after(2));
    assert_eq!((fewer.portion.units, fewer.portion.owed, fewer.tell), (3, Owed::Nothing, vec![]));
    let mut pool = fewer.pool;
    // Whoever reads it by then sees that he has given one.
    pool.shares.iter_mut().for_each(|share| share.silent = false);
    assert_eq!(pool.clone().balance(B, wish(3), after(3)).tell, []);
    let back = pool.balance(B, Ask { unheard: true, ..wish(3) }, after(3));
    assert_eq!((back.tell, back.pool.portion(A, NOW).owed), (vec![A], Owed::Beyond(1)));
}

#[test]
fn who_was_silent_while_others_were_awaited_is_told_of_what_is_free() {
    const C: Lease = Lease(3);
    let pool = Pool { shares: vec![awaited(A)], ..slots(2) }.balance(B, wish(2), NOW).pool;
    let spoken = silent(pool, B).balance(A, wish(0), after(1));
    assert_eq!((spoken.pool.portion(B, NOW).units, spoken.tell), (0, vec![B]));
    let other = spoken.pool.balance(C, wish(0), after(2));
    assert_eq!(other.tell, [], "once");
}

#[test]
fn fewer_units_than_are_out_are_come_down_to() {
    let mut pool = slots(6).balance(A, wish(6), NOW).pool;
    pool.cap = Some(2);
    let told = pool.redivide(NOW);
    assert_eq!(told.tell, [A]);
    let held = told.pool.balance(A, Ask { keep: 3, held: 3, ..wish(0) }, NOW);
    assert_eq!((held.portion.units, held.portion.owed), (3, Owed::Excess));
    let down = held.pool.balance(A, Ask { keep: 2, held: 2, ..wish(0) }, NOW);
    assert_eq!((down.portion.units, down.portion.owed), (2, Owed::Nothing));
}

#[test]
fn who_may_start_again_is_told_so() {
    let mut pool = slots(4).balance(A, wish(2), NOW).pool.balance(B, wish(2), NOW).pool;
    pool.cap = Some(2);
    let told = pool.redivide(NOW);
    assert_eq!(told.tell, [A, B]);
    let one = told.pool.balance(A, Ask { keep: 1, held: 1, ..wish(0) }, NOW);
    assert_eq!((one.portion.owed, one.tell), (Owed::Excess, vec![]));
    let none = one.pool.balance(A, Ask { keep: 0, ..wish(0) }, NOW);
    assert_eq!((none.portion.owed, none.tell), (Owed::Nothing, vec![B]));
}

#[test]
fn without_bounds_nobody_has_a_share() {
    let mut pool = slots(1).balance(A, wish(1), NOW).pool.balance(B, wish(1), NOW).pool;
    pool.cap = None;
    let told = pool.balance(A, wish(1), NOW);
    assert_eq!((told.portion.cap, told.portion.units), (None, 0));
}

fn awaited(lease: Lease) -> Share {
    let span = Duration::from_secs(if lease == A { 1 } else { 60 });
    let awaited = Some(Awaited { beat: NOW, span });
    Share { lease, stake: Stake::default(), since: NOW, ahead: false, micros: 0, next: None, awaited, silent: false }
}

#[test]
fn nothing_is_given_until_all_have_said_what_they_run() {
    let pool = Pool { shares: vec![awaited(A), awaited(B)], ..slots(4) };
    let first = pool.balance(A, wish(9), NOW);
    assert_eq!((first.portion.units, first.portion.awaits, first.tell), (0, Some(Duration::from_mins(1)), vec![]));
    assert_eq!(first.portion.owed, Owed::Excess, "nor used");
    let second = first.pool.balance(B, Ask { held: 3, ..wish(0) }, after(5));
    assert_eq!((second.portion.units, second.portion.awaits, second.tell), (3, None, vec![A]));
    assert_eq!(second.pool.portion(A, NOW).units, 1);
}

/// What A gets where B, who is awaited, has given a sign of life then.
fn beside_one_who_beats(pool: Pool, at: Timestamp, now: Timestamp) -> Balanced {
    let shares = pool.shares.into_iter().map(|share| {
        let awaited = share.awaited.map(|awaited| Awaited { beat: at, ..awaited });
        Share { awaited, ..share }
    });
    Pool { shares: shares.collect(), ..pool }.balance(A, wish(9), now)
}

#[test]
fn who_lives_and_says_nothing_is_awaited_for_as_long_as_his_lease_lasts() {
    let pool = Pool { shares: vec![awaited(A), awaited(B)], ..slots(4) };
    let early = beside_one_who_beats(pool, after(59_999), after(60_500));
    assert_eq!((early.portion.units, early.portion.awaits), (0, Some(Duration::ZERO)));
    assert_eq!(beside_one_who_beats(early.pool, after(60_000), after(61_000)).portion.units, 4);
}

#[test]
fn what_was_said_before_it_began_does_not_count() {
    let pool = Pool { shares: vec![awaited(A)], begun: 2, ..slots(4) };
    let early = pool.balance(A, Ask { held: 1, begun: 1, ..wish(4) }, NOW);
    assert_eq!((early.portion.units, early.portion.awaits.is_some()), (1, true));
    let said = early.pool.balance(A, Ask { held: 3, begun: 2, ..wish(4) }, after(1));
    assert_eq!((said.portion.units, said.portion.awaits), (4, None));
}

#[test]
fn who_gives_no_sign_of_life_is_awaited_until_he_is_declared_gone() {
    let pool = Pool { shares: vec![awaited(A), awaited(B)], ..slots(4) };
    let mut late = pool.balance(A, wish(9), after(600_000));
    assert_eq!(late.portion.units, 0);
    late.pool.shares.retain(|share| share.lease != B);
    assert_eq!(late.pool.redivide(after(600_001)).pool.portion(A, NOW).units, 4);
}

#[test]
fn nobody_is_awaited_for_longer_where_the_clock_is_set_back() {
    let pool = Pool { shares: vec![awaited(A), awaited(B)], ..slots(4) };
    let earlier = |millis| NOW.saturating_sub(Duration::from_hours(1)).saturating_add(Duration::from_millis(millis));
    let early = beside_one_who_beats(pool, NOW, earlier(0));
    assert_eq!(early.portion.units, 0);
    assert_eq!(beside_one_who_beats(early.pool, earlier(60_000), earlier(60_000)).portion.units, 4);
}

#[test]
fn what_runs_counts_above_the_cap_too() {
    let more = slots(2).balance(A, Ask { held: 5, ..wish(0) }, NOW);
    assert_eq!((more.portion.units, more.portion.owed), (5, Owed::Excess));
    let other = more.pool.balance(B, wish(1), NOW);
    assert_eq!((other.portion.units, other.tell), (0, vec![]));
    let back = other.pool.balance(A, Ask { keep: 1, held: 1, ..wish(0) }, NOW);
    assert_eq!((back.portion.units, back.tell), (1, vec![B]));
}

#[test]
fn tokens_wait_in_the_pool_and_go_with_the_units() {
    let taken = rate(4).balance(A, wish(4), NOW);
    assert_eq!((taken.portion.units, taken.portion.micros), (4, 4 * MICROS));
    let back = taken.pool.balance(A, Ask { keep: 0, micros: MICROS, wish: 0, held: 0, ..Ask::default() }, NOW);
    let again = back.pool.balance(B, wish(2), after(1_000));
    assert_eq!((again.portion.units, again.portion.micros), (2, MICROS));
}

#[test]
fn units_of_one_that_is_gone_come_back_empty() {
    let mut pool = rate(4).balance(A, wish(3), NOW).pool;
    (pool.shares, pool.orphaned) = (Vec::new(), 3);
    let next = pool.balance(B, wish(4), after(60_000));
    assert_eq!((next.portion.units, next.portion.micros, next.pool.orphaned), (4, MICROS, 0));
}

#[test]
fn a_lower_rate_leaves_no_more_units_than_it_has() {
    let mut pool = rate(4).balance(A, wish(3), NOW).pool.balance(B, wish(1), NOW).pool;
    let lower = Rate::every(Duration::from_secs(9), 1).unwrap();
    (pool.cap, pool.rate) = (Some(1), Some((lower, 0, NOW)));
    let told = pool.redivide(NOW).pool;
    assert_eq!((told.portion(A, NOW).units, told.portion(B, NOW).units), (1, 0));
    let late = told.balance(B, Ask { keep: 0, micros: MICROS, ..wish(0) }, after(1));
    assert_eq!((late.portion.units, late.pool.rate), (0, Some((lower, 0, after(1)))));
}

#[test]
fn a_rate_fills_what_is_free_while_it_is_in_force() {
    let pool = rate(4).balance(A, wish(4), NOW).pool;
    let empty = pool.balance(A, Ask { keep: 0, ..wish(0) }, NOW).pool;
    let change = |pool: &Pool, millis, burst, span| {
        let rate = Rate::every(Duration::from_millis(millis), burst).unwrap();
        let (was, micros, at) = pool.rate.unwrap();
        let pool = Pool { cap: Some(burst), rate: Some((rate, micros, at)), was: Some(was), ..pool.clone() };
        pool.redivide(after(span)).pool
    };
    let micros = |pool: &Pool| pool.rate.unwrap().1;
    let raised = change(&empty, 10, 4, 500);
    assert_eq!((micros(&raised), raised.was), (MICROS / 2, None));
    let lowered = change(&raised, 10_000, 4, 510);
    assert_eq!(micros(&lowered), MICROS * 3 / 2);
    let larger = change(&empty, 1_000, 9, 60_000);
    assert_eq!(micros(&larger), 4 * MICROS);
    let smaller = change(&larger, 1_000, 2, 60_000);
    assert_eq!(micros(&change(&smaller, 1_000, 9, 60_000)), 2 * MICROS);
    let taken = change(&empty.balance(A, wish(3), NOW).pool, 10, 9, 500);
    assert_eq!(micros(&taken), MICROS / 8, "of one unit, as the others are out");
}

#[test]
fn tokens_for_one_who_waits_are_fetched_when_he_asks() {
    let pool = rate(1).balance(A, wish(1), NOW).pool.balance(B, wish(1), NOW).pool;
    let back = pool.balance(A, Ask { keep: 0, micros: MICROS / 2, wish: 0, held: 0, ..Ask::default() }, NOW);
    assert_eq!(back.tell, [B]);
    let fetched = back.pool.balance(B, wish(1), NOW);
    assert_eq!((fetched.portion.units, fetched.portion.micros), (1, MICROS / 2));
    assert_eq!(fetched.pool.balance(B, wish(1), NOW).portion.micros, 0);
}

#[test]
fn what_a_worker_said_of_its_next_token_holds_for_the_units_that_it_has() {
    let mut pool = rate(4).balance(A, wish(3), NOW).pool;
    pool.shares[0].next = Some(after(9_000));
    let next = |pool: &Pool| pool.shares.iter().find(|share| share.lease == A).and_then(|share| share.next);
    let beside = pool.balance(B, wish(2), NOW).pool.balance(A, wish(4), after(1)).pool.redivide(after(2)).pool;
    assert_eq!(next(&beside), Some(after(9_000)));
    assert_eq!(next(&beside.clone().balance(A, Ask { keep: 2, ..wish(2) }, after(3)).pool), None);
    assert_eq!(next(&beside.balance(B, Ask { keep: 0, ..wish(0) }, after(3)).pool), None, "it has all four");
}

#[test]
fn who_waits_ahead_comes_first_and_after_him_who_has_waited_longest() {
    const C: Lease = Lease(3);
    let pool = slots(1).balance(A, wish(1), NOW).pool.balance(B, wish(1), NOW).pool;
    let ahead = Ask { ahead: true, ..wish(1) };
    let late = pool.balance(C, ahead, after(5));
    assert!(!late.portion.preceded);
    let gives = Ask { keep: 0, ..wish(1) };
    let first = late.pool.balance(A, gives, after(20));
    assert_eq!(first.tell, [C], "though it came last");
    // What it got before others is not for who waits ahead now.
    let again = first.pool.balance(A, Ask { ahead: true, ..wish(1) }, after(21)).pool;
    let next = again.balance(C, Ask { in_turn: true, ..gives }, after(40));
    assert_eq!(next.tell, [B], "has waited longest");
    assert_eq!(next.pool.balance(B, gives, after(60)).tell, [A], "it was its turn, and who is ahead comes first again");
}

#[test]
fn who_would_wait_ahead_is_told_that_somebody_does_until_that_one_has_something() {
    const C: Lease = Lease(3);
    let pool = slots(1).balance(A, wish(1), NOW).pool;
    let ahead = Ask { ahead: true, ..wish(1) };
    let first = pool.balance(B, ahead, after(1));
    let second = first.pool.balance(C, ahead, after(2));
    assert!(!first.portion.preceded && second.portion.preceded);
    assert!(!second.pool.portion(B, after(3)).preceded);
    let taken_back = second.pool.clone().balance(B, wish(1), after(4)).pool;
    assert!(!taken_back.portion(C, after(4)).preceded, "the first one waits like others by now");
    let given = second.pool.balance(A, Ask { keep: 0, ..wish(0) }, after(20)).pool;
    assert!(!given.portion(C, after(21)).preceded, "the first one has what it waited for");
}
