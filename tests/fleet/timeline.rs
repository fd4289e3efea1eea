//! Which bounds may have been in force when.
//!
//! What is changed at an instant holds for all from [`FOLLOW`] after it on, and nobody knows for whom it holds until then: there
//! the larger of both counts. A worker that is stopped follows when it goes on. A version of the code has the last word from when
//! one of its workers has declared it, until the last one is gone; the one before it has, once a worker has declared that again.

use crate::deeds::{Deeds, Set};
use crate::ledger::Tenure;
use crate::limits::{Bounds, Choice, Limit};
use crate::tasks::Version;

/// Within how long all workers follow: a second is promised, and the other one is the machine's, which others use too.
pub(crate) const FOLLOW: f64 = 2.0;
/// Within how long workers that have been there for long have the last word again: they look every five seconds, and say it at
/// most every ten.
const RETURN: f64 = 15.0;

/// From when on which bounds may be in force, each until the next one.
pub(crate) struct Timeline(Vec<(f64, Most)>);

/// The largest of the bounds that may be in force at an instant; `None` bounds nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Most {
    pub(crate) at_once: Option<u32>,
    pub(crate) pace: Option<(f64, u32)>,
}

impl Timeline {
    pub(crate) fn of(limit: &Limit, key: &str, deeds: &Deeds, tenures: &[Tenure]) -> Self {
        let reign = Reign::of(tenures, deeds);
        let declared = |version: Version| limit.declared[usize::from(version == Version::Second)];
        let layer = |value: Option<&str>| -> Vec<&Set> {
            let is_it = |choice: &Choice| choice.is_of(limit) && choice.value == value;
            deeds.sets.iter().filter(|set| is_it(set.choice)).collect()
        };
        let (whole, one) = (layer(None), if key.is_empty() { Vec::new() } else { layer(Some(key)) });
        let mut instants = vec![0.0];
        instants.extend(reign.instants());
        for set in whole.iter().chain(&one) {
            instants.extend([set.called, deeds.settled(set.done)]);
        }
        instants.sort_by(f64::total_cmp);
        instants.dedup();
        let possible = |at: f64| {
            let (mut bounds, inherited) = overriding(&one, at, deeds);
            if inherited {
                let (set, inherited) = overriding(&whole, at, deeds);
                bounds.extend(set);
                bounds.extend(reign.at(at, limit.only).into_iter().filter(|_| inherited).map(declared));
            }
            bounds
        };
        Self(instants.into_iter().map(|at| (at, most(&possible(at)))).collect())
    }

    pub(crate) fn at(&self, at: f64) -> Most {
        let place = self.0.partition_point(|(from, _)| *from <= at).saturating_sub(1);
        self.0[place].1
    }

    /// Each of these bounds, and until when.
    fn spans(&self) -> impl Iterator<Item = (f64, f64, Most)> {
        let ends = self.0.iter().skip(1).map(|(from, _)| *from).chain([f64::INFINITY]);
        self.0.iter().zip(ends).map(|((from, most), until)| (*from, until, *most))
    }

    /// How many tokens came in, in a span in which a rate bounds.
    pub(crate) fn tokens(&self, from: f64, until: f64) -> f64 {
        let part = |(begin, end, most): (f64, f64, Most)| {
            let span = (end.min(until) - begin.max(from)).max(0.0);
            most.pace.map_or(0.0, |(rate, _)| span * rate)
        };
        self.spans().map(part).sum()
    }

    /// The spans in which a rate bounds, and with no larger burst than this.
    pub(crate) fn up_to(&self, burst: u32) -> Vec<(f64, f64)> {
        let mut spans: Vec<(f64, f64)> = Vec::new();
        let bounded = self.spans().filter(|(.., most)| most.pace.is_some_and(|(_, most)| most <= burst));
        for (from, until, _) in bounded {
            match spans.last_mut() {
                Some((_, end)) if *end >= from => *end = until,
                _ => spans.push((from, until)),
            }
        }
        spans
    }

    /// All bursts that there were.
    pub(crate) fn bursts(&self) -> Vec<u32> {
        let mut bursts: Vec<u32> = self.0.iter().filter_map(|(_, most)| most.pace.map(|(_, burst)| burst)).collect();
        bursts.sort_unstable();
        bursts.dedup();
        bursts
    }
}

/// What may have been set at an instant, and whether nothing may have been.
fn overriding(sets: &[&Set], at: f64, deeds: &Deeds) -> (Vec<Bounds>, bool) {
    let until = |place: usize| sets.get(place).map_or(f64::INFINITY, |next| deeds.settled(next.done));
    let possible = sets.iter().enumerate().filter(|(place, set)| set.called <= at && at < until(place + 1));
    let possible: Vec<Option<Bounds>> = possible.map(|(_, set)| set.bounds).collect();
    let is_clear = at < until(0) || possible.contains(&None);
    (possible.into_iter().flatten().collect(), is_clear)
}

fn most(possible: &[Bounds]) -> Most {
    let at_once = possible.iter().map(|bounds| bounds.at_once).collect::<Option<Vec<u32>>>();
    let paces = possible.iter().map(|bounds| bounds.pace).collect::<Option<Vec<(f64, u32)>>>();
    let larger = |a: (f64, u32), b: (f64, u32)| (a.0.max(b.0), a.1.max(b.1));
    Most {
        at_once: at_once.and_then(|most| most.into_iter().max()),
        pace: paces.and_then(|paces| paces.into_iter().reduce(larger)),
    }
}

/// When the second version may have had the last word, and when it must have.
struct Reign(Vec<Word>);

struct Word {
    from: f64,
    surely: f64,
    last: f64,
    until: f64,
}

impl Reign {
    fn of(tenures: &[Tenure], deeds: &Deeds) -> Self {
        let mut lives: Vec<(f64, f64)> = Vec::new();
        let mut seconds: Vec<&Tenure> = tenures.iter().filter(|tenure| tenure.version == Version::Second).collect();
        seconds.sort_by(|a, b| a.declared.total_cmp(&b.declared));
        for tenure in seconds {
            match lives.last_mut() {
                Some((_, gone)) if tenure.declared <= *gone => *gone = gone.max(tenure.gone),
                _ => lives.push((tenure.declared, tenure.gone)),
            }
        }
        let firsts = || tenures.iter().filter(|tenure| tenure.version == Version::First);
        let word = |(from, last): (f64, f64)| {
            let again = firsts().map(|tenure| tenure.declared).filter(|declared| *declared > last);
            let again = again.fold(last + RETURN, f64::min);
            Word { from, surely: deeds.settled(from), last, until: deeds.settled(again) }
        };
        Self(lives.into_iter().map(word).collect())
    }

    fn instants(&self) -> impl Iterator<Item = f64> {
        self.0.iter().flat_map(|word| [word.from, word.surely, word.last, word.until]).filter(|at| at.is_finite())
    }

    /// Whose word may be the last at an instant. What is counted apart knows its own version's alone.
    fn at(&self, at: f64, only: Option<Version>) -> Vec<Version> {
        if let Some(version) = only {
            return vec![version];
        }
        let second = self.0.iter().any(|word| word.from <= at && at < word.until);
        let first = !self.0.iter().any(|word| word.surely <= at && at < word.last);
        [(first, Version::First), (second, Version::Second)]
            .into_iter()
            .filter_map(|(may, it)| may.then_some(it))
            .collect()
    }
}
