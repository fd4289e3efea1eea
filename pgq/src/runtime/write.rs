//! Writing ends that the database may refuse.
//!
//! A batch that is refused is written in halves, down to the single ends that are refused alone. Such a one is written once more
//! without what may have been wrong with it, so that it is known what became of it, where it was refused for what is in it and
//! nothing else, as by a trigger of the user's that raises (`backend/postgres/blame.rs`). What isn't taken even so, or may be refused for
//! something else, is left aside for a while, and where nothing but that is found, the rest of the batch with it.
//! A refusal that passes (a deadlock, a full disk, a server that goes down or lets nobody in, a right that was taken) blames nobody:
//! all of it is tried again later. One that could be the doing of a single end, and doesn't pass, is split as well, blames nobody
//! either, and is nobody's where no end gets through.

use std::borrow::Cow;

use pgq_core::options::Keep;
use pgq_core::{Failure, FailureKind, Transition};

use crate::backend::{Ended, Session, Verdict};
use crate::error::{Error, Result};

/// What came of a batch.
#[derive(Debug, Default)]
pub(super) struct Written<'e> {
    pub(super) answered: Vec<(Cow<'e, Ended>, Verdict)>,
    /// What not even the plain form was taken of.
    pub(super) refused: Vec<&'e Ended>,
    /// By what passes, unless it is the doing of single ones.
    stuck: Vec<(&'e Ended, Error)>,
    /// As all others were refused.
    untried: Vec<&'e Ended>,
}

/// So many in a row that are refused, and none that isn't: it isn't single ones.
const HOPELESS: usize = 100;

/// How many of those that are refused are named.
const NAMED: usize = 5;

/// With `stuck`, also what may be the doing of a single end is split.
pub(super) async fn write<'e>(session: &dyn Session, ended: &'e [Ended], stuck: bool) -> Result<Written<'e>> {
    let mut written = Written::default();
    let mut parts = vec![ended];
    while let Some(part) = parts.pop() {
        if written.is_hopeless() {
            written.untried.extend(part);
            continue;
        }
        match session.finish(part).await {
            Ok(verdicts) => written.answered.extend(part.iter().map(Cow::Borrowed).zip(verdicts)),
            Err(error) if !(error.is_refusal() || stuck && error.may_be_one_rows()) => return Err(error),
            Err(error) => match part {
                [] => {}
                [one] if error.is_of_a_row() => written.take_plain(session, one, &error).await?,
                [one] if error.is_refusal() => written.set_aside(one, &error),
                [one] => written.stuck.push((one, error)),
                several => {
                    let (part, rest) = several.split_at(several.len() / 2);
                    parts.extend([rest, part]);
                }
            },
        }
    }
    written.judge()
}

impl<'e> Written<'e> {
    fn is_hopeless(&self) -> bool {
        self.answered.is_empty() && self.refused.len() + self.stuck.len() >= HOPELESS
    }

    /// What passes is nobody's doing where nobody gets through.
    fn judge(mut self) -> Result<Self> {
        let mut stuck = std::mem::take(&mut self.stuck);
        if self.answered.is_empty()
            && self.refused.is_empty()
            && let Some((_, error)) = stuck.pop()
        {
            return Err(error);
        }
        for (ended, error) in &stuck {
            self.set_aside(ended, error);
        }
        // Before those that were tried: so that it is their turn next time.
        self.refused.splice(0..0, std::mem::take(&mut self.untried));
        Ok(self)
    }

    async fn take_plain(&mut self, session: &dyn Session, ended: &'e Ended, error: &Error) -> Result<()> {
        let plain = [plain(ended, error)];
        match session.finish(&plain).await {
            Ok(verdicts) => {
                let error = error.in_line();
                tracing::error!(job = %ended.id, error, "the database refused how an attempt ended: it is written without its details");
                self.answered.extend(plain.into_iter().map(Cow::Owned).zip(verdicts));
            }
            Err(error) if !error.is_refusal() => return Err(error),
            Err(error) => self.set_aside(ended, &error),
        }
        Ok(())
    }

    fn set_aside(&mut self, ended: &'e Ended, error: &Error) {
        let error = error.in_line();
        match self.refused.len() {
            0..NAMED => {
                tracing::error!(job = %ended.id, error, "how an attempt ended can't be written: it is tried again now and then");
            }
            NAMED => tracing::error!(error, "how others ended can't be written either"),
            _ => {}
        }
        self.refused.push(ended);
    }
}

/// The same end without what the handler said and without follow-ups. A job whose follow-ups are refused hasn't completed:
/// it is discarded, since another attempt would most likely leave the same ones.
fn plain(ended: &Ended, error: &Error) -> Ended {
    let said =
        |failure: &Failure| Failure::new(failure.kind(), &format!("how it failed could not be written: {error:?}"));
    let mut plain = Ended { follow_ups: Vec::new(), steps: None, ..ended.clone() };
    match &mut plain.transition {
        Transition::Retry { failure, .. } | Transition::Discard { failure } | Transition::Cancel { failure } => {
            *failure = said(failure);
        }
        transition @ Transition::Complete if !ended.follow_ups.is_empty() => {
            let message = format!("its follow-ups could not be written: {error:?}");
            *transition = Transition::Discard { failure: Failure::new(FailureKind::Error, &message) };
            plain.keep = ended.keep.max(Keep::DEFAULT.discarded);
        }
        _ => {}
    }
    plain
}
