//! How the units of a limit are divided among the workers that ask for some.
//!
//! Nobody is taken from: who has units keeps them until he gives them back. What is free goes to those who wait, one unit at a
//! time in the order in which they came; who has given some back has come anew. While somebody starves, with less than an even part, those who have more give back
//! ([`Stake::is_starving`]).

/// What one worker has of a limit, and would like to have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stake {
    /// How many units it has.
    pub units: u32,
    /// How many it would like to have in all; no more than it has where it doesn't wait.
    pub wish: u32,
}

impl Stake {
    /// Whether it waits for more.
    #[must_use]
    pub const fn waits(&self) -> bool {
        self.wish > self.units
    }

    /// Whether it waits with less than its even part, `even`.
    #[must_use]
    pub fn is_starving(&self, even: u32) -> bool {
        self.waits() && self.units < even.max(1)
    }
}

/// How many units they have in all.
#[must_use]
pub fn units(stakes: &[Stake]) -> u32 {
    stakes.iter().map(|stake| stake.units).fold(0, u32::saturating_add)
}

/// The part of each if all who have units or wait had as many: with more than there are units, none.
#[must_use]
pub fn even(cap: u32, stakes: &[Stake]) -> u32 {
    let count = stakes.iter().filter(|stake| stake.units > 0 || stake.waits()).count();
    u32::try_from(count).ok().and_then(|count| cap.checked_div(count)).unwrap_or(cap)
}

/// Gives what is free to those who wait. `stakes` stand in the order in which they began to wait.
pub fn divide(cap: u32, stakes: &mut [Stake]) {
    let mut free = cap.saturating_sub(units(stakes));
    // By rounds: who waits longest is first in each, and who has least is never behind by more than what he began with.
    while free > 0 && stakes.iter().any(Stake::waits) {
        let least = stakes.iter().filter(|stake| stake.waits()).map(|stake| stake.units).min().unwrap_or_default();
        for stake in stakes.iter_mut().filter(|stake| stake.waits() && stake.units == least) {
            if free > 0 {
                stake.units += 1;
                free -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divided(cap: u32, stakes: &[(u32, u32)]) -> Vec<u32> {
        let mut stakes: Vec<_> = stakes.iter().map(|&(units, wish)| Stake { units, wish }).collect();
        divide(cap, &mut stakes);
        stakes.iter().map(|stake| stake.units).collect()
    }

    #[test]
    fn what_is_free_goes_to_who_has_least_and_waits_longest() {
        for (cap, stakes, after) in [
            (5, vec![(0, 10)], vec![5]),
            (5, vec![(0, 3)], vec![3]),
            (5, vec![(5, 5), (0, 5)], vec![5, 0]),
            (5, vec![(4, 4), (0, 5), (0, 5)], vec![4, 1, 0]),
            (6, vec![(3, 6), (0, 6)], vec![3, 3]),
            (10, vec![(0, 2), (0, 10), (1, 10)], vec![2, 4, 4]),
            (2, vec![(5, 9), (0, 1)], vec![5, 0]),
            (0, vec![(0, 1)], vec![0]),
        ] {
            assert_eq!(divided(cap, &stakes), after, "{cap} {stakes:?}");
        }
    }

    #[test]
    fn nothing_is_left_while_somebody_waits_and_nothing_is_given_that_is_not_there() {
        for case in 0..3_000_u32 {
            let cap = case % 12;
            let stakes: Vec<_> = (1..=case % 5).map(|n| (case / 7 * n % 4, case / 3 * n % 9)).collect();
            let before: u32 = stakes.iter().map(|stake| stake.0).sum();
            let after = divided(cap, &stakes);
            let waits = stakes.iter().zip(&after).any(|(stake, units)| stake.1 > *units);
            let total: u32 = after.iter().sum();
            assert!(total <= cap.max(before), "{cap} {stakes:?} {after:?}");
            assert!(!waits || total >= cap, "{cap} {stakes:?} {after:?}");
            assert!(stakes.iter().zip(&after).all(|(stake, units)| *units >= stake.0), "{stakes:?} {after:?}");
        }
    }

    #[test]
    fn who_waits_with_less_than_an_even_part_starves() {
        let stakes = [Stake { units: 4, wish: 4 }, Stake { units: 1, wish: 3 }];
        assert_eq!(even(5, &stakes), 2);
        assert!(stakes[1].is_starving(2) && !stakes[0].is_starving(2));
        assert_eq!(even(1, &stakes), 0);
        assert!(Stake { units: 0, wish: 1 }.is_starving(0) && !Stake { units: 1, wish: 2 }.is_starving(0));
        assert_eq!(even(5, &[]), 5);
    }
}
