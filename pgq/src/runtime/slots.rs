//! Slots: room for running attempts, counted in memory.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::service::Signal;

/// No alarm is set.
const OFF: usize = usize::MAX;

/// How much room there is, and whom to tell when there is more.
#[derive(Debug)]
pub(super) struct Slots {
    total: usize,
    free: AtomicUsize,
    /// At how many free slots the claimer wants to hear of it: told of each, it would claim jobs one by one.
    alarm: AtomicUsize,
    claimer: Signal,
    idle: Signal,
}

impl Slots {
    pub(super) fn new(total: usize, claimer: Signal) -> Self {
        Self { total, free: AtomicUsize::new(total), alarm: AtomicUsize::new(OFF), claimer, idle: Signal::new() }
    }

    pub(super) fn total(&self) -> usize {
        self.total
    }

    pub(super) fn free(&self) -> usize {
        self.free.load(Ordering::SeqCst)
    }

    pub(super) fn taken(&self) -> usize {
        self.total.saturating_sub(self.free())
    }

    pub(super) fn take(&self, count: usize) {
        self.free.fetch_sub(count, Ordering::SeqCst);
    }

    pub(super) fn give(&self) {
        let free = self.free.fetch_add(1, Ordering::SeqCst) + 1;
        if free >= self.alarm.load(Ordering::SeqCst) {
            self.alarm.store(OFF, Ordering::SeqCst);
            self.claimer.raise();
        }
        if free == self.total {
            self.idle.raise();
        }
    }

    /// Raises the claimer's signal once so many are free; at once, where they are.
    pub(super) fn alarm_at(&self, free: usize) {
        self.alarm.store(free, Ordering::SeqCst);
        if self.free() >= free {
            self.claimer.raise();
        }
    }

    /// Waits until nothing runs.
    pub(super) async fn idle(&self) {
        loop {
            let seen = self.idle.count();
            if self.free() == self.total {
                return;
            }
            self.idle.raised(seen).await;
        }
    }
}
