//! The operator's verbs.

use pgq_core::JobId;

use super::Memory;
use super::store::Store;
use crate::backend::{Answer, JobInfo, Migrated, Operate};

impl Operate for Memory {
    fn migrate(&self) -> Answer<'_, Migrated> {
        Box::pin(async { Ok(Migrated { from: 1, to: 1 }) })
    }

    fn check(&self) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn describe(&self) -> Answer<'_, String> {
        Box::pin(async { Ok("in memory".to_owned()) })
    }

    fn get(&self, id: JobId) -> Answer<'_, Option<JobInfo>> {
        self.answer(move |store| store.get(id))
    }
}

impl Store {
    fn get(&self, id: JobId) -> Option<JobInfo> {
        let queued = self.jobs.get(&id).map(|row| row.info(row.state(self.now), None));
        queued.or_else(|| self.history.get(&id).map(|kept| kept.row.info(kept.state, Some(kept.at))))
    }
}
