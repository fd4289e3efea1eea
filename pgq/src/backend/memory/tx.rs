//! A transaction: rows that are put aside until it is committed.

use std::sync::{Mutex, PoisonError};

use pgq_core::NewJob;

use super::Memory;
use super::row::Row;
use crate::backend::postgres::TxConnection;
use crate::backend::{Answer, Enqueued, Transaction};
use crate::client::NO_SQL;
use crate::error::{Error, Kind};

/// Jobs that nobody sees yet. They have their ids and times from when they were enqueued.
pub(super) struct Tx {
    pub(super) memory: Memory,
    pub(super) rows: Mutex<Vec<Row>>,
}

impl Transaction for Tx {
    fn enqueue(&self, jobs: Vec<NewJob>) -> Answer<'_, Vec<Enqueued>> {
        self.memory.answer(|store| {
            let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
            let first = rows.len();
            rows.extend(jobs.into_iter().map(|job| store.draft(job)));
            rows.iter().skip(first).map(Enqueued::from).collect()
        })
    }

    fn connection(&self) -> Answer<'_, TxConnection<'_>> {
        Box::pin(async { Err(Error::new(Kind::Unsupported, NO_SQL)) })
    }

    fn commit(self: Box<Self>) -> Answer<'static, ()> {
        Box::pin(async move {
            let rows = self.rows.into_inner().unwrap_or_else(PoisonError::into_inner);
            self.memory.with(|store| rows.into_iter().for_each(|row| store.insert(row)));
            Ok(())
        })
    }

    fn rollback(self: Box<Self>) -> Answer<'static, ()> {
        Box::pin(async { Ok(()) })
    }
}
