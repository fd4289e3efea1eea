//! The claim: which jobs a worker wins.

use std::sync::Arc;

use pgq_core::{Claimed, JobId, Lease};

use super::row::{Key, Lane};
use super::store::Store;
use crate::backend::{Batch, Claim, Want};

/// A lane with a ready job, and how many the worker has room for.
struct Head {
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
        let mut heads = self.heads(&claim.wants);
        let (tied, last_rank) = front(&heads);
        let mut jobs = Vec::new();
        for (turn, head) in heads.iter_mut().take(tied).enumerate() {
            let share = limit / tied + usize::from(turn < limit % tied);
            let won = self.win((lease, &holder), &head.lane, share.min(head.cap), last_rank);
            head.cap -= won.len();
            jobs.extend(won);
        }
        jobs.sort_by_key(|job| (job.priority.rank(), job.run_at, job.id));
        let again = jobs.len() < limit && heads.iter().any(|head| head.cap > 0 && self.ready.contains_key(&head.lane));
        Batch { jobs, again }
    }

    fn heads(&self, wants: &[Want]) -> Vec<Head> {
        let mut heads: Vec<_> = wants.iter().filter_map(|want| self.head(want)).collect();
        heads.sort_by_key(|head| head.key);
        heads
    }

    fn head(&self, want: &Want) -> Option<Head> {
        let lane = Lane::from(want);
        let key = *self.ready.get(&lane).filter(|_| want.cap > 0)?.first()?;
        Some(Head { lane, key, cap: want.cap as usize })
    }

    fn win(&mut self, (lease, holder): (Lease, &Arc<str>), lane: &Lane, most: usize, last_rank: i16) -> Vec<Claimed> {
        let keys = self.ready.get(lane).into_iter().flatten();
        let ids: Vec<JobId> = keys.take_while(|key| key.rank <= last_rank).take(most).map(|key| key.id).collect();
        let now = self.now;
        ids.into_iter().filter_map(|id| self.change(id, |row| row.claim(lease, holder, now))).collect()
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
