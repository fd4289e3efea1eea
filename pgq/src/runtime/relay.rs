//! The relay: runs what a claim won on a few tasks of the runtime, which take one attempt after another.
//!
//! A task of the runtime for each attempt costs more than an attempt that does nothing. So there are as many as the runtime has
//! threads. Whoever has to wait within an attempt first hands on the others, to a task more: nobody waits behind him, and one that
//! holds up its thread holds up no more than its thread. Whoever ends takes the next one.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use crate::platform::{spawn, threads};

/// After so many without a pause others have a turn on the thread.
const PAUSE: usize = 32;

/// What is run: once, to its end.
pub(super) trait Run: Send + 'static {
    fn run(&mut self) -> impl Future<Output = ()> + Send;
}

/// Those who haven't begun.
pub(super) struct Line<R>(Mutex<VecDeque<R>>);

/// A task that takes one after another.
struct Runner<R: Run>(Arc<Line<R>>);

/// Runs all of them, in this order as far as there are threads. Returns who hasn't begun.
pub(super) fn run<R: Run>(all: VecDeque<R>) -> Arc<Line<R>> {
    let runners = all.len().min(threads());
    let line = Arc::new(Line(Mutex::new(all)));
    for _ in 0..runners {
        go(Runner(Arc::clone(&line)));
    }
    line
}

fn go<R: Run>(runner: Runner<R>) {
    spawn(runner.take_all());
}

impl<R: Run> Runner<R> {
    async fn take_all(self) {
        let mut taken = 0_usize;
        while let Some(next) = self.0.next() {
            self.take(next).await;
            taken += 1;
            if taken.is_multiple_of(PAUSE) {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn take(&self, mut next: R) {
        let mut running = pin!(next.run());
        let mut waits = false;
        poll_fn(|context| {
            let polled = running.as_mut().poll(context);
            if polled.is_pending() && !std::mem::replace(&mut waits, true) {
                self.hand_on();
            }
            polled
        })
        .await;
    }

    /// Somebody else takes the others.
    fn hand_on(&self) {
        if !self.0.is_empty() {
            go(Self(Arc::clone(&self.0)));
        }
    }
}

impl<R: Run> Drop for Runner<R> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.hand_on();
        }
    }
}

impl<R> Line<R> {
    fn next(&self) -> Option<R> {
        let mut line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = line.pop_front();
        if line.is_empty() {
            // Whoever runs for long keeps no memory of it.
            *line = VecDeque::new();
        }
        next
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::{Barrier, mpsc};

    use super::*;

    type Leg = Pin<Box<dyn Future<Output = ()> + Send>>;

    impl Run for Leg {
        async fn run(&mut self) {
            self.await;
        }
    }

    fn legs(count: usize, leg: impl Fn(usize) -> Leg) -> VecDeque<Leg> {
        (0..count).map(leg).collect()
    }

    #[tokio::test]
    async fn whoever_waits_holds_up_nobody_behind_him() {
        let together = Arc::new(Barrier::new(101));
        run(legs(100, |_| {
            let together = Arc::clone(&together);
            Box::pin(async move {
                together.wait().await;
            })
        }));
        together.wait().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 3)]
    async fn whoever_holds_up_his_thread_holds_up_no_other() {
        let (done, mut all) = mpsc::unbounded_channel();
        let together = Arc::new(std::sync::Barrier::new(2));
        run(legs(50, |number| {
            let (done, together) = (done.clone(), Arc::clone(&together));
            Box::pin(async move {
                if number == 0 || number == 49 {
                    together.wait();
                }
                done.send(number).unwrap();
            })
        }));
        drop(done);
        let mut count = 0;
        while all.recv().await.is_some() {
            count += 1;
        }
        assert_eq!(count, 50);
    }

    #[tokio::test]
    async fn they_begin_in_order_and_let_others_have_the_thread() {
        let (begun, mut all) = mpsc::unbounded_channel();
        let others = Arc::new(AtomicUsize::new(0));
        let other = Arc::clone(&others);
        run(legs(100, |number| {
            let (begun, others) = (begun.clone(), Arc::clone(&others));
            Box::pin(async move { begun.send((number, others.load(Ordering::SeqCst))).unwrap() })
        }));
        spawn(async move { other.store(1, Ordering::SeqCst) });
        drop(begun);
        let mut seen = Vec::new();
        while let Some(one) = all.recv().await {
            seen.push(one);
        }
        assert!(seen.iter().map(|(number, _)| *number).eq(0..100), "{seen:?}");
        assert_eq!((seen[0].1, seen[99].1), (0, 1));
    }

    #[tokio::test]
    async fn a_panic_ends_only_its_own() {
        let (done, mut all) = mpsc::unbounded_channel();
        run(legs(3, |number| {
            let done = done.clone();
            Box::pin(async move {
                assert_ne!(number, 0, "this one panics");
                done.send(number).unwrap();
            })
        }));
        drop(done);
        assert_eq!((all.recv().await, all.recv().await, all.recv().await), (Some(1), Some(2), None));
    }
}
