//! Fleets of workers that come and go, to see that what is promised of a rate holds over all of them.

use std::time::Duration;

use super::divide::Stake;
use super::pool::{Balanced, Pool};
use super::share::Ask;
use super::{Bucket, MICROS, Rate};
use crate::{Lease, Timestamp};

const BEGIN: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

struct Worker {
    lease: Lease,
    bucket: Bucket,
}

struct Fleet {
    pool: Pool,
    workers: Vec<Worker>,
    last: i64,
    since: Duration,
}

impl Fleet {
    fn of(rate: Rate, size: usize) -> Self {
        let full = u64::from(rate.burst()) * MICROS;
        let pool = Pool {
            cap: Some(rate.burst()),
            rate: Some((rate, full, BEGIN)),
            was: None,
            shares: Vec::new(),
            orphaned: 0,
            begun: 0,
        };
        let mut fleet = Self { pool, workers: Vec::new(), last: 0, since: Duration::ZERO };
        (0..size).for_each(|_| fleet.join(rate));
        fleet
    }

    fn now(&self) -> Timestamp {
        BEGIN.saturating_add(self.since)
    }

    fn join(&mut self, rate: Rate) {
        self.last += 1;
        self.workers.push(Worker { lease: Lease(self.last), bucket: Bucket::new(rate, 0, 0) });
    }

    /// Time passes, and everybody starts some of what he may; how many that are.
    fn run(&mut self, step: Duration, chance: &mut Chance) -> u32 {
        self.since += step;
        let mut starts = 0;
        for Worker { bucket, .. } in &mut self.workers {
            bucket.fill(step);
            let some = bucket.tokens().min(chance.small(9));
            (0..some).for_each(|_| bucket.take());
            starts += some;
        }
        starts
    }

    /// A worker gives back what it has beyond `keep`, and would like to have so many.
    fn ask(&mut self, place: usize, keep: u32, wish: u32) {
        let now = self.now();
        let Worker { lease, bucket } = &mut self.workers[place];
        let micros = bucket.give(bucket.units().saturating_sub(keep));
        let Balanced { pool, portion, .. } =
            self.pool.clone().balance(*lease, Ask { keep, micros, wish, held: 0, ..Ask::default() }, now);
        bucket.give(bucket.units().saturating_sub(portion.units));
        bucket.receive(portion.units - bucket.units(), portion.micros);
        self.pool = pool;
    }

    /// A worker dies, and another one comes in its place. What it had is seen to be nobody's now, or by the next one who asks.
    fn die(&mut self, place: usize, rate: Rate, at_once: bool) {
        let lease = self.workers.swap_remove(place).lease;
        let gone = self.pool.shares.extract_if(.., |share| share.lease == lease);
        self.pool.orphaned += gone.map(|share| share.stake.units).sum::<u32>();
        if at_once {
            self.pool = self.pool.clone().redivide(self.now()).pool;
        }
        self.join(rate);
    }

    /// Another rate, which all have followed.
    fn retune(&mut self, rate: Rate) {
        let (was, micros, at) = self.pool.rate.unwrap();
        (self.pool.cap, self.pool.rate, self.pool.was) = (Some(rate.burst()), Some((rate, micros, at)), Some(was));
        self.pool = self.pool.clone().redivide(self.now()).pool;
        for place in 0..self.workers.len() {
            self.workers[place].bucket.retune(rate);
            self.ask(place, u32::MAX, 0);
        }
    }

    fn assert_whole(&self) {
        let stakes: Vec<Stake> = self.pool.shares.iter().map(|share| share.stake).collect();
        let units = stakes.iter().map(|stake| stake.units).sum::<u32>() + self.pool.orphaned;
        assert!(units <= self.pool.cap.unwrap(), "{:?}", self.pool);
    }
}

#[test]
fn no_window_has_more_starts_while_workers_die_and_begin_anew() {
    for seed in 0..200 {
        let mut chance = Chance(seed);
        let rate = any_rate(&mut chance);
        let starts = live(&mut Fleet::of(rate, 3), rate, 400, &mut chance);
        assert!(starts.len() > 20, "{rate:?}");
        assert_within(rate, &starts);
    }
}

#[test]
fn no_window_has_more_starts_than_another_rate_allows_once_it_is_followed() {
    for seed in 0..200 {
        let mut chance = Chance(seed);
        let rate = any_rate(&mut chance);
        let mut fleet = Fleet::of(rate, 3);
        live(&mut fleet, rate, 400, &mut chance);
        let other = any_rate(&mut chance);
        fleet.retune(other);
        assert_within(other, &live(&mut fleet, other, 400, &mut chance));
    }
}

/// However often it changes, also while nobody has anything of it, each window has as many starts as the rates in force in it allow.
#[test]
fn no_window_has_more_starts_than_the_rates_that_all_followed_in_it_allow() {
    for seed in 0..100 {
        let mut chance = Chance(seed);
        let mut rate = slow_or_fast(&mut chance);
        let (mut fleet, mut in_force, mut starts) = (Fleet::of(rate, 3), InForce::since(BEGIN, rate), Vec::new());
        for _ in 0..20 {
            let lived = live(&mut fleet, rate, 20, &mut chance);
            starts.extend(lived.into_iter().map(|since| BEGIN.saturating_add(since)));
            (0..fleet.workers.len()).for_each(|place| fleet.ask(place, 0, 0));
            fleet.run(Duration::from_micros(chance.below(2_000_000)), &mut chance);
            rate = slow_or_fast(&mut chance);
            fleet.retune(rate);
            in_force.change(Some(rate), fleet.now());
        }
        assert!(starts.len() > 20, "{seed}");
        in_force.assert_allows(&starts);
    }
}

fn slow_or_fast(chance: &mut Chance) -> Rate {
    let millis = if chance.small(2) == 0 { 20 } else { chance.below(2_000) + 1_000 };
    Rate::every(Duration::from_millis(millis), 1 + chance.small(6)).unwrap()
}

fn any_rate(chance: &mut Chance) -> Rate {
    Rate::every(Duration::from_millis(chance.below(900) + 100), 1 + chance.small(6)).unwrap()
}

/// Workers start jobs, take and give, die and come; when they started some.
fn live(fleet: &mut Fleet, rate: Rate, steps: u32, chance: &mut Chance) -> Vec<Duration> {
    let mut starts = Vec::new();
    for _ in 0..steps {
        let step = Duration::from_micros(chance.below(400_000));
        for _ in 0..fleet.run(step, chance) {
            starts.push(fleet.since);
        }
        let place = chance.small(3) as usize;
        match chance.small(8) {
            0 => fleet.die(place, rate, chance.small(2) == 0),
            1 => fleet.ask(place, chance.small(4), 0),
            _ => fleet.ask(place, u32::MAX, chance.small(8)),
        }
        fleet.assert_whole();
    }
    starts
}

pub(super) fn assert_within(rate: Rate, starts: &[Duration]) {
    for (first, begin) in starts.iter().enumerate() {
        for (count, end) in (1..).zip(&starts[first..]) {
            let window = end.saturating_sub(*begin);
            let allowed = u128::from(rate.burst()) + window.as_nanos() / rate.interval().as_nanos();
            assert!(count <= allowed, "{count} starts in {window:?}, {rate:?}");
        }
    }
}

/// The rates that there were, each with when it came into force.
pub(super) struct InForce(Vec<(Timestamp, Option<Rate>)>);

impl InForce {
    pub(super) fn since(begin: Timestamp, rate: Rate) -> Self {
        Self(vec![(begin, Some(rate))])
    }

    pub(super) fn change(&mut self, rate: Option<Rate>, now: Timestamp) {
        self.0.push((now, rate));
    }

    /// How many tokens came in, without end where no rate was in force, and the largest burst.
    fn between(&self, begin: Timestamp, end: Timestamp) -> (f64, u32) {
        let ends = self.0.iter().skip(1).map(|(since, _)| *since).chain([end]);
        let spans = self.0.iter().zip(ends);
        let (mut tokens, mut burst) = (0.0, 0);
        for ((since, rate), until) in spans.filter(|((since, _), until)| *since <= end && *until >= begin) {
            let Some(rate) = rate else {
                tokens = f64::INFINITY;
                continue;
            };
            tokens += until.min(end).since(begin.max(*since)).as_secs_f64() / rate.interval().as_secs_f64();
            burst = burst.max(rate.burst());
        }
        (tokens, burst)
    }

    pub(super) fn assert_allows(&self, starts: &[Timestamp]) {
        let before = starts.first().into_iter().chain(starts);
        let gaps: Vec<_> = before.zip(starts).map(|(before, at)| self.between(*before, *at)).collect();
        for first in 0..starts.len() {
            let (mut tokens, mut burst) = self.between(starts[first], starts[first]);
            for (count, place) in (1_u32..).zip(first..starts.len()) {
                if place > first {
                    tokens += gaps[place].0;
                    burst = burst.max(gaps[place].1);
                }
                let allowed = tokens + f64::from(burst);
                assert!(f64::from(count) <= allowed + 1e-6, "{count} starts, which may be {allowed}");
            }
        }
    }
}

/// Splitmix64, by Steele, Lea and Flood.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(super) fn small(&mut self, bound: u64) -> u32 {
        u32::try_from(self.below(bound)).unwrap()
    }
}
