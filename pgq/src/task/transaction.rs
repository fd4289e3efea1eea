//! The transaction of an attempt, which its handler writes in and its completion commits.

use std::sync::{Mutex, PoisonError};

use super::{Context, HandlerError};
use crate::Tx;

/// Where a handler that succeeded leaves its transaction. Left elsewhere, or by a handler that failed, it is dropped and so
/// rolled back.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Option<Tx>>);

impl Kept {
    fn put(&self, tx: Tx) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(tx);
    }

    pub(crate) fn take(&self) -> Option<Tx> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Begins the transaction of an attempt.
///
/// # Errors
/// The database can't be reached, or has no connection left.
pub async fn begin<R>(context: &Context<R>) -> Result<Tx, HandlerError> {
    context.stand_alone();
    context.client().begin_attempt().await.map_err(HandlerError::new)
}

/// Leaves the transaction of a handler that has ended to its completion, if it succeeded.
///
/// # Errors
/// The handler's own.
pub fn leave<R, O>(context: &Context<R>, tx: Tx, ended: Result<O, HandlerError>) -> Result<O, HandlerError> {
    if ended.is_ok() {
        context.kept().put(tx);
    }
    ended
}
