//! The producer's verbs.

use pgq_core::{JobId, NewJob, Placement};

use super::Memory;
use super::row::Row;
use super::store::Store;
use super::tx::Tx;
use crate::backend::{Answer, Enqueued, Produce, Transaction};

impl Produce for Memory {
    fn enqueue(&self, jobs: Vec<NewJob>) -> Answer<'_, Vec<Enqueued>> {
        self.answer(|store| jobs.into_iter().map(|job| store.enqueue(job)).collect())
    }

    fn begin(&self) -> Answer<'_, Box<dyn Transaction>> {
        Box::pin(async move {
            let tx: Box<dyn Transaction> = Box::new(Tx::begin(self.clone()));
            Ok(tx)
        })
    }

    fn begin_attempt(&self) -> Answer<'_, Box<dyn Transaction>> {
        self.begin()
    }
}

impl Store {
    pub(super) fn enqueue(&mut self, job: NewJob) -> Enqueued {
        let row = self.draft(job);
        let id = row.id;
        if let Some(holder) = self.conflict(&row) {
            return self.resolve(holder, row);
        }
        self.take_key(&row);
        self.insert(row);
        Enqueued { id, placement: Placement::New }
    }

    /// A row with an id and its times, which isn't in yet.
    pub(super) fn draft(&mut self, job: NewJob) -> Row {
        self.last_id += 1;
        Row::new(JobId(self.last_id), job, self.now)
    }
}
