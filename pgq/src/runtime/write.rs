//! Writing ends that the database may refuse.
//!
//! A batch that is refused is written in halves, down to single ends. One that is refused alone, while others of its batch
//! were taken, is the culprit: a trigger of the user's that raises, a text that something chokes on. It is written once
//! more without what may have been wrong with it, so that it is known what became of it. While nothing at all is taken, as
//! on a full disk, nobody is a culprit, and all is tried again later.

use pgq_core::options::Keep;
use pgq_core::{Failure, FailureKind, Transition};

use crate::backend::{Ended, Session, Verdict};
use crate::error::{Error, Kind, Result};

/// What came of a batch.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) answered: Vec<(Ended, Verdict)>,
    /// What not even the plain form was taken of.
    pub(super) refused: Vec<Ended>,
}

pub(super) async fn write(session: &dyn Session, ended: Vec<Ended>) -> Result<Written> {
    let (mut written, mut culprits) = (Written::default(), Vec::new());
    let mut parts = vec![ended];
    while let Some(mut part) = parts.pop() {
        match session.finish(part.clone()).await {
            Ok(verdicts) => written.answered.extend(part.into_iter().zip(verdicts)),
            Err(error) if error.kind() != Kind::Database => return Err(error),
            Err(error) => match part.len() {
                0 | 1 => culprits.extend(part.pop().map(|ended| (ended, error))),
                count => {
                    let rest = part.split_off(count / 2);
                    parts.extend([rest, part]);
                }
            },
        }
    }
    if written.answered.is_empty()
        && let Some((_, error)) = culprits.pop()
    {
        return Err(error);
    }
    for (ended, error) in culprits {
        tracing::error!(job = %ended.id, ?error, "the database refused how an attempt ended: it is written without its details");
        let plain = plain(&ended, &error);
        match session.finish(vec![plain.clone()]).await {
            Ok(verdicts) => written.answered.extend(std::iter::once(plain).zip(verdicts)),
            Err(_) => written.refused.push(ended),
        }
    }
    Ok(written)
}

/// The same end without texts of the handler's and without follow-ups. A job whose follow-ups are refused hasn't completed:
/// it is discarded, since another attempt would most likely leave the same ones.
fn plain(ended: &Ended, error: &Error) -> Ended {
    let said =
        |failure: &Failure| Failure::new(failure.kind(), &format!("how it failed could not be written: {error:?}"));
    let transition = match &ended.transition {
        Transition::Retry { after, failure } => Transition::Retry { after: *after, failure: said(failure) },
        Transition::Discard { failure } => Transition::Discard { failure: said(failure) },
        Transition::Cancel { failure } => Transition::Cancel { failure: said(failure) },
        Transition::Complete if !ended.follow_ups.is_empty() => {
            let message = format!("its follow-ups could not be written: {error:?}");
            Transition::Discard { failure: Failure::new(FailureKind::Error, &message) }
        }
        other => other.clone(),
    };
    let keep = ended.keep.max(Keep::DEFAULT.discarded);
    Ended { transition, keep, follow_ups: Vec::new(), ..ended.clone() }
}
