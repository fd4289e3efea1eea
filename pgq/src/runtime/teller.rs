//! The teller: writes how far attempts have come, once a second for all of them, and where something has changed.
//!
//! Each is fenced like an end. An attempt whose job is somebody else's by now hears of it here, long before its end is refused.

use std::sync::Arc;
use std::time::Duration;

use super::engine::Engine;
use super::held::Grip;
use super::service::{Next, Service, Signal};
use crate::backend::{Advance, Verdict};
use crate::error::Result;

/// How often it is told how far attempts have come.
const EVERY: Duration = Duration::from_secs(1);
/// The most of one write.
const MOST: usize = 1_000;

pub(super) struct Teller(pub(super) Arc<Engine>);

impl Service for Teller {
    const NAME: &'static str = "teller";

    fn signal(&self) -> Signal {
        Signal::new()
    }

    async fn turn(&mut self) -> Result<Next> {
        let advances = self.0.held.advances();
        let mut parts: Vec<&[(Advance, Grip)]> = advances.chunks(MOST).collect();
        while let Some(part) = parts.pop() {
            let told = self.0.session.advance(part.iter().map(|(advance, _)| *advance).collect()).await;
            match (told, part) {
                (Ok(verdicts), _) => part.iter().zip(verdicts).for_each(note),
                (Err(error), _) if !error.is_refusal() => return Err(error),
                // As by a trigger of the user's that raises: it must hold up nobody else.
                (Err(error), [(advance, grip)]) => {
                    tracing::warn!(job = %advance.id, ?error, "the database refused how far an attempt has come");
                    grip.gauge().wrote(advance.steps);
                }
                (Err(_), _) => parts.extend(part.chunks(part.len().div_ceil(2))),
            }
        }
        Ok(Next::After(EVERY))
    }
}

fn note(((advance, grip), verdict): (&(Advance, Grip), Verdict)) {
    if verdict == Verdict::Lost {
        // Where the attempt has ended meanwhile, and that is written, nobody listens any more.
        grip.lose();
    }
    if verdict != Verdict::Busy {
        grip.gauge().wrote(advance.steps);
    }
}
