//! Who is at work on attempts of a worker, over its sessions: after its end only what holds up a thread of the runtime still is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Clone, Debug, Default)]
pub(super) struct AtWork(Arc<AtomicUsize>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Stay(AtWork);

impl AtWork {
    pub(super) fn begin(&self) -> Stay {
        self.0.fetch_add(1, Ordering::SeqCst);
        Stay(self.clone())
    }

    pub(super) fn is_anybody(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}
