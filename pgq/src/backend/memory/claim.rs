//! The claim: which jobs a worker wins.

use std::sync::Arc;

use pgq_core::{Claimed, JobId, Lease};

use super::row::{Key, Lane, Row};
use super::store::Store;
use crate::backend::{Batch, Claim, Group, Want};

/// A lane with a ready job, and how many the worker has room for.
pub(super) struct Head {
    /// Which want this is.
    place: usize,
    lane: Lane,
    key: Key,
    cap: usize,
}

impl Store {
    /// Wins jobs of the lanes whose heads have the highest priority, which share the limit with the oldest head first.
    /// Ready jobs of the other lanes, and of lower priority, wait for the next claim: `again` asks for it.
    pub(super) fn claim(&mut self, lease: Lease, claim: &Claim) -> Batch {
        let Some(holder) = self.workers.get(&lease).map(|worker| Arc::clone(&worker.name)) else {
            return Batch::default();
        };
        let limit = claim.limit as usize;
        let mut suspect = claim.suspect;
        let mut heads = self.heads(&claim.wants, suspect);
        let alone = heads.len() == 1;
        let blocked = heads.iter().filter(|head| head.cap == 0).map(|head| head.place).collect();
        heads.retain(|head| head.cap > 0);
        let (tied, last_rank) = front(&heads);
        let mut rooms = Rooms::of(&claim.groups);
        let (mut jobs, mut parked) = (Vec::new(), false);
        for turn in 0..tied {
            let rest: Vec<usize> = heads[turn..tied].iter().map(|head| head.place).collect();
            let head = &mut heads[turn];
            let share = (limit / tied + usize::from(turn < limit % tied)).min(rooms.share(head.place, &rest));
            let ids = self.pick(&head.lane, share.min(head.cap), last_rank, &mut suspect);
            head.cap -= ids.len();
            rooms.take(head.place, ids.len());
            let (through, held_up): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| self.pass_gates(*id));
            parked |= !held_up.is_empty();
            self.park_next(&held_up);
            jobs.extend(self.win(lease, &holder, through));
        }
        jobs.sort_by_key(|job| (job.priority.rank(), job.run_at, job.id));
        let has_room = |head: &Head| head.cap.min(rooms.share(head.place, &[])) > 0;
        let left = |head: &Head| has_room(head) && self.first(&head.lane, suspect).is_some();
        let again = parked || jobs.len() < limit && heads.iter().any(left);
        // Of one that has used up its room it isn't said, as a backend may not have looked further.
        let is_last = |head: &Head| has_room(head) && self.first(&head.lane, claim.suspect).is_none();
        let all = alone && !again && jobs.len() < limit && heads.iter().all(is_last);
        Batch { jobs, again, all, blocked, opens: self.take_first_opens(), forgetful: false }
    }

    pub(super) fn heads(&self, wants: &[Want], suspect: bool) -> Vec<Head> {
        let mut heads: Vec<_> =
            wants.iter().enumerate().filter_map(|(place, want)| self.head(place, want, suspect)).collect();
        heads.sort_by_key(|head| head.key);
        heads
    }

    fn head(&self, place: usize, want: &Want, suspect: bool) -> Option<Head> {
        let lane = Lane::from(want);
        let key = self.first(&lane, suspect).filter(|_| !self.is_paused(&lane))?;
        Some(Head { place, lane, key, cap: want.cap as usize })
    }

    fn first(&self, lane: &Lane, suspect: bool) -> Option<Key> {
        self.ready.get(lane)?.iter().find(|key| suspect || !self.is_suspect(key.id)).copied()
    }

    fn is_suspect(&self, id: JobId) -> bool {
        self.jobs.get(&id).is_some_and(Row::is_suspect)
    }

    /// With one suspect at most, where there may be one.
    fn pick(&self, lane: &Lane, most: usize, last_rank: i16, suspect: &mut bool) -> Vec<JobId> {
        let keys = self.ready.get(lane).into_iter().flatten().take_while(|key| key.rank <= last_rank);
        let allowed = keys.filter(|key| !self.is_suspect(key.id) || std::mem::take(suspect));
        allowed.take(most).map(|key| key.id).collect()
    }

    fn win(&mut self, lease: Lease, holder: &Arc<str>, ids: Vec<JobId>) -> Vec<Claimed> {
        let now = self.now;
        ids.into_iter().filter_map(|id| self.change(id, |row| row.claim(lease, holder, now))).collect()
    }
}

/// What room there still is in groups of wants.
struct Rooms<'c>(Vec<(&'c [usize], usize)>);

impl<'c> Rooms<'c> {
    fn of(groups: &'c [Group]) -> Self {
        Self(groups.iter().map(|group| (&*group.wants, group.room as usize)).collect())
    }

    /// The part of one want, where these others of its groups wait too.
    fn share(&self, want: usize, waiting: &[usize]) -> usize {
        let parts = self.0.iter().filter(|(wants, _)| wants.contains(&want)).map(|(wants, room)| {
            let members = waiting.iter().filter(|other| wants.contains(other)).count().max(1);
            room.div_ceil(members)
        });
        parts.min().unwrap_or(usize::MAX)
    }

    fn take(&mut self, want: usize, count: usize) {
        for (_, room) in self.0.iter_mut().filter(|(wants, _)| wants.contains(&want)) {
            *room -= count;
        }
    }
}

/// How many of the sorted heads share the best rank, and the last rank that they may take: their own, but a single one
/// may go on until it would overtake the next.
fn front(heads: &[Head]) -> (usize, i16) {
    let Some(best) = heads.first().map(|head| head.key.rank) else { return (0, i16::MAX) };
    let tied = heads.partition_point(|head| head.key.rank == best);
    match heads.get(tied) {
        _ if tied > 1 => (tied, best),
        Some(next) => (tied, next.key.rank.saturating_sub(1)),
        None => (tied, i16::MAX),
    }
}
