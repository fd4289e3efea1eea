use pgq_core::Rate;

use super::*;
use crate::platform::ManualClock;

const OWED: [Owed; 5] = [Owed::Nothing, Owed::Spare, Owed::Beyond(2), Owed::Beyond(0), Owed::Excess];

/// One that has four units, of which one is held.
fn pool(clock: &Clock, measure: Measure, owed: Owed, prospect: Prospect) -> Pool {
    let mut pool = Pool::new(Some(PoolName { limit: "desk".into(), measure }), Some(9), clock);
    (pool.units, pool.held, pool.owed, pool.prospect) = (4, 1, owed, prospect);
    pool
}

fn prospects(clock: &Clock) -> [Prospect; 4] {
    [Prospect::Open, Prospect::Needed, Prospect::HeldUp(clock.mark(), HOLD), Prospect::Spare]
}

/// How many units stay, by what is owed and what may come of them, so much later.
fn kept(later: Duration) -> [[u32; 4]; 5] {
    let manual = ManualClock::at(pgq_core::Timestamp::EPOCH);
    let clock = Clock::Manual(manual.clone());
    let of = |owed| prospects(&clock).map(|prospect| pool(&clock, Measure::Concurrency, owed, prospect));
    let pools = OWED.map(of);
    manual.advance(later);
    pools.map(|row| row.map(|pool| pool.keep()))
}

#[test]
fn a_free_unit_is_whose_the_table_says() {
    let millis = Duration::from_millis;
    let at_once = [[4, 4, 4, 4], [4, 4, 4, 1], [2, 2, 2, 1], [4, 4, 4, 1], [1, 1, 1, 1]];
    assert_eq!(kept(Duration::ZERO), at_once);
    assert_eq!(kept(millis(20)), [at_once[0], at_once[1], at_once[2], [1, 4, 4, 1], at_once[4]]);
    assert_eq!(kept(millis(100)), [[4, 4, 4, 4], [4, 4, 1, 1], [2, 2, 1, 1], [1, 4, 1, 1], [1, 1, 1, 1]]);
    assert_eq!(kept(IDLE), [[1; 4]; 5]);
}

#[test]
fn a_full_worker_asks_for_nothing_more_after_a_while_and_again_when_a_slot_is_free() {
    let manual = ManualClock::at(pgq_core::Timestamp::EPOCH);
    let clock = Clock::Manual(manual.clone());
    let mut pool = pool(&clock, Measure::Concurrency, Owed::Beyond(0), Prospect::Open);
    (pool.blocked, pool.wished) = (true, 9);
    pool.crowd_out(&clock);
    assert_eq!((pool.due(), pool.keep()), (Some(SLICE), 4));
    manual.advance(SLICE);
    assert_eq!(pool.due(), Some(Duration::ZERO));
    assert_eq!(pool.ask(9).map(|ask| (ask.keep, ask.wish)), Some((1, 0)));
    assert!(pool.due().is_none() && pool.ask_again(9, &clock) && !pool.ask_again(1, &clock));
    assert_eq!(pool.ask(9).map(|ask| ask.wish), Some(9));
}

#[test]
fn a_full_worker_keeps_a_unit_with_nothing_in_it_until_there_is_a_token() {
    let manual = ManualClock::at(pgq_core::Timestamp::EPOCH);
    let clock = Clock::Manual(manual.clone());
    let mut pool = pool(&clock, Measure::Rate, Owed::Spare, Prospect::Open);
    let rate = Rate::every(Duration::from_secs(1), 9).unwrap();
    (pool.units, pool.held, pool.bucket) = (1, 0, Some((Bucket::new(rate, 1, 0), clock.mark())));
    pool.crowd_out(&clock);
    // One of nine units: of nine tokens a second one comes each second.
    let token = pool.bucket.as_ref().unwrap().0.next().unwrap();
    assert_eq!(pool.due(), Some(token + SLICE));
    let (nearly, last) = (token.saturating_sub(SLICE), Duration::from_millis(1));
    for (span, kept) in [(SLICE, 1), (nearly, 1), (SLICE.saturating_sub(last), 1), (last, 0)] {
        manual.advance(span);
        pool.fill(&clock);
        assert_eq!(pool.keep(), kept);
    }
}

#[test]
fn what_can_be_used_only_after_something_else_has_come_is_others_at_once() {
    let clock = Clock::Manual(ManualClock::at(pgq_core::Timestamp::EPOCH));
    let mut pool = pool(&clock, Measure::Concurrency, Owed::Beyond(0), Prospect::Open);
    pool.hold_up(&clock, false, 0.0);
    assert_eq!((pool.keep(), pool.due()), (1, Some(Duration::ZERO)));
    pool.hold_up(&clock, true, 0.0);
    assert_eq!((pool.keep(), pool.due()), (4, Some(HOLD)), "it is its turn by now");
}

#[test]
fn what_was_held_in_vain_for_something_else_is_held_for_twice_as_long_the_next_time() {
    let manual = ManualClock::at(pgq_core::Timestamp::EPOCH);
    let clock = Clock::Manual(manual.clone());
    let mut pool = pool(&clock, Measure::Concurrency, Owed::Beyond(0), Prospect::Open);
    for times in 0..8 {
        (pool.units, pool.used) = (4, clock.mark());
        pool.open(&clock);
        pool.hold_up(&clock, true, 0.0);
        let hold = HOLD * 2_u32.pow(DOUBLED.min(times));
        assert_eq!(pool.idles(), Some(hold), "the {times}th time");
        manual.advance(hold);
        assert_eq!(pool.ask(9).map(|ask| ask.keep), Some(1));
    }
}

#[test]
fn what_is_a_tasks_own_stays_while_its_worker_waits_for_something_else() {
    for measure in Measure::ALL {
        let manual = ManualClock::at(pgq_core::Timestamp::EPOCH);
        let clock = Clock::Manual(manual.clone());
        let mut pool = pool(&clock, measure, Owed::Beyond(0), Prospect::Open);
        (pool.name, pool.held) = (Some(PoolName { limit: "task:desk".into(), measure }), 0);
        if measure == Measure::Rate {
            // With a token in it.
            pool.bucket = Some((Bucket::new(Rate::every(IDLE, 9).unwrap(), 4, 1_000_000), clock.mark()));
        }
        pool.hold_up(&clock, true, 0.0);
        for (later, kept) in [(SLICE, 4), (IDLE, 4), (PATIENT.saturating_sub(SLICE + IDLE), 0)] {
            assert!(pool.due().is_some_and(|due| due >= SLICE), "{measure:?}");
            manual.advance(later);
            pool.fill(&clock);
            assert_eq!(pool.keep(), kept, "{measure:?}");
        }
        pool.hold_up(&clock, true, 0.0);
        pool.crowd_out(&clock);
        manual.advance(SLICE);
        assert_eq!(pool.keep(), 0, "all slots are taken");
    }
}

#[test]
fn a_unit_that_came_has_its_turn_once_a_claim_was_answered_however_long_that_takes() {
    let manual = ManualClock::at(pgq_core::Timestamp::EPOCH);
    let clock = Clock::Manual(manual.clone());
    let mut pool = pool(&clock, Measure::Concurrency, Owed::Beyond(0), Prospect::Open);
    pool.take(Portion { units: 5, cap: Some(9), owed: Owed::Beyond(0), ..Portion::default() }, &clock);
    manual.advance(Duration::from_millis(999));
    assert_eq!(pool.keep(), 5);
    (pool.fresh, pool.since) = (false, clock.mark());
    assert_eq!(pool.keep(), 5);
    manual.advance(SLICE);
    pool.used = clock.mark();
    assert_eq!(pool.keep(), 1);
}

#[test]
fn more_of_what_it_has_some_of_is_wished_for_while_it_waits_for_something_else() {
    for (units, borne) in [(4, TURN), (0, Duration::ZERO)] {
        let manual = ManualClock::at(pgq_core::Timestamp::EPOCH);
        let clock = Clock::Manual(manual.clone());
        let mut pool = pool(&clock, Measure::Concurrency, Owed::Nothing, Prospect::Open);
        (pool.units, pool.held, pool.blocked, pool.wished) = (units, units, true, 9);
        pool.hold_up(&clock, false, 0.0);
        assert_eq!((pool.waits_in_vain(), pool.due()), (borne.is_zero(), Some(borne)));
        if !borne.is_zero() {
            assert!(pool.ask(9).is_none(), "it stands");
        }
        manual.advance(borne);
        assert_eq!(pool.ask(9).map(|ask| ask.wish), Some(0));
    }
}

#[test]
fn who_gives_a_unit_back_after_its_turn_wishes_for_it_again_if_it_could_be_used() {
    for (prospect, wish) in [(Prospect::Open, 9), (Prospect::Spare, 0)] {
        let manual = ManualClock::at(pgq_core::Timestamp::EPOCH);
        let clock = Clock::Manual(manual.clone());
        let mut pool = pool(&clock, Measure::Concurrency, Owed::Beyond(0), prospect);
        pool.held = 0;
        manual.advance(SLICE);
        assert_eq!(pool.ask(9).map(|ask| (ask.keep, ask.wish)), Some((0, wish)));
    }
    let clock = Clock::Manual(ManualClock::at(pgq_core::Timestamp::EPOCH));
    let mut pool = pool(&clock, Measure::Concurrency, Owed::Beyond(0), Prospect::Open);
    (pool.blocked, pool.wished) = (true, 9);
    pool.hold_up(&clock, false, 0.0);
    assert_eq!(pool.ask(9).map(|ask| (ask.keep, ask.wish)), Some((1, 0)), "it would get it again");
}

#[test]
fn a_place_that_a_look_shows_is_there_unless_an_answer_is_awaited_or_is_newer() {
    let clock = Clock::Manual(ManualClock::at(pgq_core::Timestamp::EPOCH));
    for (measure, stale, is_newest, units) in [
        (Measure::Concurrency, false, true, 6),
        (Measure::Concurrency, true, true, 4),
        (Measure::Concurrency, false, false, 4),
        (Measure::Rate, false, true, 4),
    ] {
        let mut pool = pool(&clock, measure, Owed::Nothing, Prospect::Open);
        pool.stale = stale;
        pool.sees(6, is_newest, &clock);
        assert_eq!((pool.units, pool.stale, pool.grown), (units, units == 4, units == 6), "{measure:?}");
    }
}

#[test]
fn an_answer_that_brings_another_rate_into_force_lets_a_claim_follow() {
    let clock = Clock::Manual(ManualClock::at(pgq_core::Timestamp::EPOCH));
    let rates = [1, 1, 2].map(|burst| Rate::every(Duration::from_secs(1), burst));
    let mut pool = pool(&clock, Measure::Rate, Owed::Nothing, Prospect::Open);
    (pool.units, pool.cap, pool.held) = (0, Some(1), 0);
    for (rate, outdated, is_more) in
        [(rates[0], true, true), (rates[1], false, false), (rates[1], true, true), (rates[2], false, true)]
    {
        (pool.outdated, pool.seen) = (outdated, false);
        pool.take(Portion { units: 1, cap: Some(1), rate, ..Portion::default() }, &clock);
        assert_eq!(pool.has_more(), is_more, "{rate:?}, {outdated}");
        pool.offered = pool.room().rank();
    }
}

#[test]
fn what_bounds_nothing_any_more_is_asked_for_no_more() {
    let manual = ManualClock::at(pgq_core::Timestamp::EPOCH);
    let clock = Clock::Manual(manual.clone());
    let mut pool = pool(&clock, Measure::Concurrency, Owed::Nothing, Prospect::Open);
    (pool.blocked, pool.wished) = (true, 9);
    pool.take(Portion::default(), &clock);
    pool.crowd_out(&clock);
    manual.advance(IDLE);
    assert!(pool.due().is_none() && pool.ask(9).is_none() && matches!(pool.room(), Room::Some(u32::MAX)));
}

#[test]
fn where_notices_reach_nobody_a_unit_that_is_used_stays_for_seconds() {
    let manual = ManualClock::at(pgq_core::Timestamp::EPOCH);
    let clock = Clock::Manual(manual.clone());
    let mut pool = pool(&clock, Measure::Concurrency, Owed::Beyond(0), Prospect::Open);
    pool.slice = TURN;
    for (millis, kept) in [(1_000, 4), (3_900, 4), (100, 1)] {
        manual.advance(Duration::from_millis(millis));
        pool.used = clock.mark();
        assert_eq!(pool.keep(), kept);
    }
}

#[test]
fn who_leaves_keeps_what_runs_and_asks_for_nothing() {
    let clock = Clock::Manual(ManualClock::at(pgq_core::Timestamp::EPOCH));
    for (owed, prospect) in OWED.into_iter().flat_map(|owed| prospects(&clock).map(|prospect| (owed, prospect))) {
        let mut pool = pool(&clock, Measure::Concurrency, owed, prospect);
        (pool.leaving, pool.blocked, pool.wished) = (true, true, 9);
        assert!(pool.owes() && pool.due() == Some(Duration::ZERO), "{pool:?}");
        let asked = pool.ask(9).map(|ask| (ask.keep, ask.wish, ask.held));
        assert_eq!(asked, Some((1, 0, 1)), "{pool:?}");
        assert!(!pool.owes() && pool.due().is_none(), "{pool:?}");
    }
}

#[test]
fn where_it_is_time_there_is_something_to_say() {
    let all = || OWED.into_iter().flat_map(|owed| [0, 1, 2, 3].map(|prospect| (owed, prospect)));
    for (measure, (owed, prospect)) in Measure::ALL.into_iter().flat_map(|measure| all().map(move |it| (measure, it))) {
        for (held, millis) in
            [0, 1, 4].into_iter().flat_map(|held| [0, 20, 50, 100, 999, 1_000, 9_000].map(|it| (held, it)))
        {
            for leaving in [false, true] {
                let manual = ManualClock::at(pgq_core::Timestamp::EPOCH);
                let clock = Clock::Manual(manual.clone());
                let mut pool = pool(&clock, measure, owed, prospects(&clock)[prospect].clone());
                (pool.held, pool.leaving) = (held, leaving);
                manual.advance(Duration::from_millis(millis));
                let is_due = pool.due().is_some_and(|due| due.is_zero());
                assert!(!is_due || pool.ask(9).is_some(), "{pool:?} after {millis} ms");
            }
        }
    }
}
