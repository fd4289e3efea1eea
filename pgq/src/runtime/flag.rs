//! Something that happens once and that others wait for: a token without parents and children, which takes no memory of its own.
//! Each attempt has several, and most are never raised.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(super) struct Flag {
    up: AtomicBool,
    raised: Notify,
}

impl Flag {
    pub(super) fn raise(&self) {
        self.up.store(true, Ordering::SeqCst);
        self.raised.notify_waiters();
    }

    pub(super) fn is_up(&self) -> bool {
        self.up.load(Ordering::SeqCst)
    }

    /// Waits until it is up.
    pub(super) async fn up(&self) {
        // Whoever has this hears of it from here on, so that none who looks afterwards misses it.
        let raised = self.raised.notified();
        if !self.is_up() {
            raised.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn all_who_wait_hear_of_it_and_who_comes_later_too() {
        let (flag, mut context) = (Flag::default(), Context::from_waker(Waker::noop()));
        let (mut one, mut two) = (pin!(flag.up()), pin!(flag.up()));
        for waits in [&mut one, &mut two] {
            assert!(waits.as_mut().poll(&mut context).is_pending());
        }
        assert!(!flag.is_up());
        flag.raise();
        assert!(flag.is_up());
        for waits in [&mut one, &mut two, &mut pin!(flag.up())] {
            assert!(waits.as_mut().poll(&mut context).is_ready());
        }
    }
}
