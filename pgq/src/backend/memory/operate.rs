//! The operator's verbs.

use std::time::Duration;

use pgq_core::options::Keep;
use pgq_core::{Failure, FailureKind, JobId, State};

use super::Memory;
use super::row::{Place, Row};
use super::store::Store;
use crate::backend::{
    Agenda, Answer, Bounds, Cancellation, Cancelled, Change, Declaration, Deletion, Edited, Found, Holders, JobInfo,
    LimitInfo, LimitName, Migrated, Operate, Pausable, Pause, Retrial, Scheduled, Search, Ticked, Whereabouts,
};

impl Operate for Memory {
    fn migrate(&self) -> Answer<'_, Migrated> {
        Box::pin(async { Ok(Migrated { from: 1, to: 1 }) })
    }

    fn check(&self) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn describe(&self) -> Answer<'_, String> {
        Box::pin(async { Ok("memory".to_owned()) })
    }

    fn cancel(&self, ids: Vec<JobId>, why: String) -> Answer<'_, Vec<Cancellation>> {
        self.answer(move |store| ids.into_iter().map(|id| store.cancel(id, &why)).collect())
    }

    fn retry(&self, ids: Vec<JobId>) -> Answer<'_, Vec<Retrial>> {
        self.answer(move |store| ids.into_iter().map(|id| store.retry(id)).collect())
    }

    fn get(&self, ids: Vec<JobId>) -> Answer<'_, Vec<JobInfo>> {
        self.answer(move |store| ids.into_iter().filter_map(|id| store.get(id)).collect())
    }

    fn find(&self, search: Search) -> Answer<'_, Found> {
        self.answer(move |store| store.find(&search))
    }

    fn edit(&self, id: JobId, change: Change) -> Answer<'_, Edited> {
        self.answer(move |store| store.edit(id, change))
    }

    fn delete(&self, ids: Vec<JobId>) -> Answer<'_, Vec<Deletion>> {
        self.answer(move |store| ids.into_iter().map(|id| store.delete(id)).collect())
    }

    fn pause(&self, what: Pausable, reason: String, span: Option<Duration>) -> Answer<'_, ()> {
        self.answer(move |store| store.pause(what, reason, span))
    }

    fn resume(&self, what: Pausable) -> Answer<'_, bool> {
        self.answer(move |store| store.resume(&what))
    }

    fn declarations(&self, name: Option<String>) -> Answer<'_, Vec<Declaration>> {
        self.answer(move |store| {
            let asked = |task: &&Declaration| name.as_ref().is_none_or(|name| task.is_named(name));
            store.declarations.values().filter(asked).cloned().collect()
        })
    }

    fn whereabouts(&self, id: JobId) -> Answer<'_, Option<Whereabouts>> {
        self.answer(move |store| store.whereabouts(id))
    }

    fn holders(&self, limit: String, tasks: Vec<String>) -> Answer<'_, Holders> {
        self.answer(move |store| store.holders(&limit, &tasks))
    }

    fn limits(&self) -> Answer<'_, Vec<LimitInfo>> {
        self.answer(|store| store.limit_infos())
    }

    fn set_limit(&self, name: LimitName, bounds: Option<Bounds>) -> Answer<'_, bool> {
        self.answer(move |store| store.set_limit(&name, bounds))
    }

    fn pauses(&self) -> Answer<'_, Vec<Pause>> {
        self.answer(|store| store.pauses.values().filter(|pause| store.holds(pause)).cloned().collect())
    }

    fn schedules(&self) -> Answer<'_, Agenda> {
        self.answer(|store| store.agenda(true))
    }

    fn create_schedule(&self, scheduled: Scheduled) -> Answer<'_, bool> {
        self.answer(move |store| store.create_schedule(scheduled))
    }

    fn hold_schedule(&self, name: String, paused: Option<String>) -> Answer<'_, bool> {
        self.answer(move |store| store.hold_schedule(&name, paused))
    }

    fn trigger_schedule(&self, name: String, ticked: Ticked) -> Answer<'_, Option<JobId>> {
        self.answer(move |store| store.trigger_schedule(&name, ticked))
    }

    fn delete_schedule(&self, name: String) -> Answer<'_, bool> {
        self.answer(move |store| store.schedules.remove(&name).is_some())
    }
}

impl Store {
    pub(super) fn cancel(&mut self, id: JobId, why: &str) -> Cancellation {
        match self.jobs.get(&id).map(|row| (row.place, row.epoch)) {
            Some((Place::Held(lease), epoch)) => {
                self.tell(lease, Cancelled { id, epoch, why: why.to_owned() });
                Cancellation::Asked
            }
            Some(_) => self.cancel_queued(id, why),
            None => self.history.get(&id).map_or(Cancellation::Unknown, |kept| Cancellation::Finished(kept.state)),
        }
    }

    fn cancel_queued(&mut self, id: JobId, why: &str) -> Cancellation {
        let Some(mut row) = self.remove(id) else { return Cancellation::Unknown };
        self.free_key(&row);
        row.note(&Failure::new(FailureKind::Cancelled, why), None, self.now);
        self.archive_as_declared(row, State::Cancelled);
        Cancellation::Done
    }

    /// Keeps a job for as long as its task says, a week where no worker has declared it.
    pub(super) fn archive_as_declared(&mut self, row: Row, state: State) {
        let declared = self.declarations.get(row.lane.names().0).and_then(|task| task.keep(state));
        self.archive(row, state, declared.unwrap_or(Keep::DEFAULT.discarded));
    }

    fn retry(&mut self, id: JobId) -> Retrial {
        if self.jobs.contains_key(&id) {
            return Retrial::Queued;
        }
        let Some(kept) = self.history.get(&id) else { return Retrial::Unknown };
        if self.conflict(&kept.row).is_some_and(|holder| holder.id != id) {
            return Retrial::Duplicate;
        }
        let Some(kept) = self.unarchive(id) else { return Retrial::Unknown };
        // A wish that came too late isn't for what runs from now on.
        self.workers.values_mut().for_each(|worker| worker.cancelled.retain(|wish| wish.id != id));
        self.untold.retain(|wish| wish.id != id);
        let mut row = kept.row;
        row.grant(self.now);
        self.take_key(&row);
        self.insert(row);
        Retrial::Done
    }

    fn get(&self, id: JobId) -> Option<JobInfo> {
        let queued = self.jobs.get(&id).map(|row| row.info(row.state(self.now), None));
        queued.or_else(|| self.history.get(&id).map(|kept| kept.row.info(kept.state, Some(kept.at))))
    }
}
