//! How a worker introduces itself: who it is, what it can run, what its tasks declare.

use std::collections::BTreeSet;
use std::time::Duration;

use pgq_core::{Cadence, Lease, literal};

use crate::Client;
use crate::backend::{Kept, Registration, Scheduled, Session, Uuid, Want};
use crate::error::{Error, Result};
use crate::task::{TaskEntry, encode};

/// Every task (and earlier name of one) in every queue that is served.
pub(super) fn wants(tasks: &[TaskEntry], queues: Option<&[String]>, slots: usize) -> Result<Vec<Want>> {
    let queues: BTreeSet<&str> = match queues {
        Some(queues) => queues.iter().map(String::as_str).collect(),
        None => tasks.iter().map(|task| task.options.queue()).collect(),
    };
    let cap = u32::try_from(slots).unwrap_or(u32::MAX);
    let mut wants = Vec::new();
    for queue in queues {
        literal::name(queue).map_err(|error| Error::invalid("a queue's name isn't valid").because(error))?;
        for name in tasks.iter().flat_map(|task| task.aliases.iter().chain([&task.name])) {
            wants.push(Want { queue: queue.into(), task: (*name).into(), cap });
        }
    }
    Ok(wants)
}

pub(super) fn introduce(
    client: &Client,
    instance: Uuid,
    span: Duration,
    tasks: &[TaskEntry],
    wants: &[Want],
) -> Registration {
    Registration {
        lease: Lease(client.platform().random_i64()),
        instance,
        host: host(),
        pid: std::process::id(),
        span,
        wants: wants.to_vec(),
        tasks: tasks.iter().map(TaskEntry::declare).collect(),
    }
}

/// What the tasks say of when their jobs are made. Such a task takes no arguments.
pub(super) fn scheduled(tasks: &[TaskEntry]) -> Result<Vec<Scheduled>> {
    let declared = tasks.iter().filter_map(|task| task.options.schedule().map(|schedule| (task, schedule)));
    declared
        .map(|(task, schedule)| {
            let wrong = |error| Error::invalid("the schedule isn't valid").because(error).about_task(task.name);
            Cadence::read(schedule.cadence, schedule.zone).map_err(wrong)?;
            Ok(Scheduled {
                name: task.name.to_owned(),
                task: task.name.to_owned(),
                queue: task.options.queue().to_owned(),
                priority: task.options.priority(),
                max_attempts: task.options.attempts(),
                expires_in: task.options.expires_in(),
                cadence: schedule.cadence.to_owned(),
                zone: schedule.zone.to_owned(),
                missed: schedule.missed,
                overlap: schedule.overlap,
                payload: encode(&())?,
            })
        })
        .collect()
}

/// The schedules that a worker declares, and the number that their set has.
pub(super) struct Declared {
    pub(super) schedules: Vec<Scheduled>,
    edition: Option<i64>,
}

impl Declared {
    pub(super) async fn by(session: &dyn Session, schedules: Vec<Scheduled>) -> Result<Self> {
        let edition = if schedules.is_empty() { None } else { Some(session.declare(schedules.clone()).await?) };
        Ok(Self { schedules, edition })
    }

    /// Whether what is kept is otherwise than this worker says, who has the last word.
    pub(super) fn overrules(&self, kept: &Kept) -> bool {
        let ours = |scheduled: &&Scheduled| scheduled.name == kept.scheduled.name;
        !kept.created
            && self.edition.is_some_and(|number| kept.edition == Some(number))
            && self.schedules.iter().find(ours).is_some_and(|scheduled| *scheduled != kept.scheduled)
    }
}

/// The machine's name, for people; empty where nobody tells.
fn host() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
    read.map(|name| name.trim().to_owned()).unwrap_or_default()
}
