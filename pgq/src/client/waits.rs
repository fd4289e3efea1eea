//! The operator's question: what is this job waiting for?

use pgq_core::limit::of_task;

use super::Client;
use crate::JobId;
use crate::backend::{Bar, LimitInfo, LimitWait, Pausable, Pause, WaitsFor, Whereabouts};
use crate::error::Result;

impl Client {
    /// What a job waits for: its time, a pause to end, a limit, or only a worker that has room for it. Of several things that hold
    /// it up it is the first in this order. `None` once the job is no longer kept.
    ///
    /// Of several limits without a key it is one that allows none, else one that is full with what runs, else one of which it isn't
    /// known yet what runs, as it is new or was lifted, else one whose rate has no token, and only then one whose free places workers
    /// have and run nothing in. Who they are, and which jobs run where, is in the answer. That all workers are
    /// full, or run as many of the task as `per_worker` says, is not told apart from one that is just about to claim the job.
    ///
    /// ```
    /// # use pgq::{Allow, LimitRef};
    /// # #[pgq::task]
    /// # async fn send(to: String) -> Result<(), pgq::BoxError> { Ok(()) }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> pgq::Result<()> {
    /// # let client = pgq::Client::memory();
    /// # let worker = pgq::testing::stepper::<()>(&client, pgq::tasks![send], ()).await?;
    /// # client.set_limit(LimitRef::of::<send>(), Allow::at_once(0)).await?;
    /// # let id = send::enqueue(&client, "kim".to_owned()).await?.id();
    /// match client.waits_for(id).await? {
    ///     Some(waits) => println!("job {id} {waits}"), // job 7 waits for send: none may start
    ///     None => println!("job {id} is no longer kept"),
    /// }
    /// # assert_eq!(client.waits_for(id).await?.unwrap().to_string(), "waits for send: none may start");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn waits_for(&self, id: JobId) -> Result<Option<WaitsFor>> {
        let found = self.inner.backend.whereabouts(id).await.map_err(|error| error.about_job(id))?;
        let Some(found) = found else { return Ok(None) };
        if !matches!(found.waits_for, WaitsFor::Worker | WaitsFor::Limit(_)) {
            return Ok(Some(found.waits_for));
        }
        if let Some(pause) = self.pause_of(&found).await? {
            return Ok(Some(WaitsFor::Resume(pause)));
        }
        if found.waits_for != WaitsFor::Worker {
            return Ok(Some(found.waits_for));
        }
        let limit = self.used_up_limit(&found).await?;
        let worker = if found.served { WaitsFor::Worker } else { WaitsFor::NoWorker };
        Ok(Some(limit.map_or(worker, WaitsFor::Limit)))
    }

    async fn pause_of(&self, found: &Whereabouts) -> Result<Option<Pause>> {
        let pauses = self.inner.backend.pauses().await?;
        Ok(pauses.into_iter().find(|pause| match &pause.what {
            Pausable::Queue(name) => *name == found.queue,
            Pausable::Task(name) => *name == found.task,
        }))
    }

    /// The limit without a key of the job's task that holds it up.
    async fn used_up_limit(&self, found: &Whereabouts) -> Result<Option<LimitWait>> {
        let declared = self.inner.backend.declarations(Some(found.task.clone())).await?;
        // Limits go by the task's present name.
        let task = declared.first().map_or(&found.task, |task| &task.name);
        let mut names: Vec<String> =
            declared.iter().flat_map(|task| task.unkeyed_limits().map(ToOwned::to_owned)).collect();
        names.push(of_task(task));
        let limits = self.inner.backend.limits().await?.into_iter();
        let bounds =
            |info: &LimitInfo| names.contains(&info.full_name) || info.key.is_none() && info.sharers.contains(task);
        let mut waits = Vec::new();
        for info in limits.filter(bounds) {
            let counted = info.sharers.iter().chain([task, &found.task]).cloned().collect();
            let holders = self.inner.backend.holders(info.full_name.clone(), counted).await?;
            waits.extend(LimitWait::for_units(info, holders, found.now));
        }
        // Where nobody lives who could start it, who is silent isn't what it waits for.
        waits.retain(|(bar, _)| found.served || *bar != Bar::Unknown);
        Ok(waits.into_iter().min_by_key(|(bar, _)| *bar).map(|(_, wait)| wait))
    }
}
