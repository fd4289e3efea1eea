//! How a worker introduces itself: who it is, what it can run, what its tasks declare.

use std::collections::{BTreeMap, BTreeSet};

use pgq_core::suggest::nearest;
use pgq_core::{Bounds, Cadence, Limit, limit, literal};

use super::plan::Plan;
use crate::backend::{self, Kept, Limited, PoolView, Registration, Scheduled, Session, Want, shown};
use crate::error::{Error, Kind, Result};
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

/// What to say of queues that are served and that no task of the program has. It may be meant: a job may be put into any queue.
pub(super) fn queues_without_tasks(queues: Option<&[String]>, program: &[TaskEntry]) -> Vec<String> {
    let known: BTreeSet<&str> = program.iter().map(|task| task.options.queue()).collect();
    let known: Vec<&str> = known.into_iter().collect();
    let unknown: BTreeSet<&String> =
        queues.into_iter().flatten().filter(|name| !known.contains(&name.as_str())).collect();
    let doubt = |name: &String| {
        let meant = nearest(name, &known).map(|meant| format!(", did you mean `{meant}`?")).unwrap_or_default();
        format!("no task of this program has the queue `{name}`{meant}; what is put into it by name is served")
    };
    unknown.into_iter().map(doubt).collect()
}

pub(super) fn introduce<R>(plan: &Plan<R>) -> Registration {
    Registration {
        lease: plan.client.draw_lease(),
        instance: plan.instance,
        host: host(),
        pid: std::process::id(),
        span: plan.lease,
        synchronous_commit: plan.synchronous_commit,
        wants: plan.wants.to_vec(),
        tasks: plan.program.iter().map(TaskEntry::declare).collect(),
    }
}

/// What the tasks say of when their jobs are made. Such a task takes no arguments.
fn scheduled(tasks: &[TaskEntry]) -> Result<Vec<Scheduled>> {
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
                limit_keys: Vec::new(),
            })
        })
        .collect()
}

/// The limits of a task.
pub(super) fn limits_of(task: &TaskEntry) -> Vec<Limited> {
    let own = task.options.own_limit();
    let own = (own != Bounds::default()).then(|| Limited {
        name: limit::of_task(task.name),
        task: Some(task.name.to_owned()),
        sharers: Vec::new(),
        keyed: false,
        bounds: own,
    });
    let named = |limit: &Limit, name| Limited {
        name: limit.full_name(name),
        task: limit.name.is_none().then(|| task.name.to_owned()),
        sharers: limit.name.iter().map(|_| task.name.to_owned()).collect(),
        keyed: limit.key.is_some(),
        bounds: limit.bounds(),
    };
    // Jobs that were enqueued under an earlier name have the gates of that.
    let others = task.options.limits().iter().flat_map(|limit| {
        let earlier = task.aliases.iter().filter(|_| limit.key.is_some() && limit.name.is_none());
        earlier.chain([&task.name]).map(|name| named(limit, name)).collect::<Vec<_>>()
    });
    own.into_iter().chain(others).collect()
}

/// The limits of all tasks, each once.
fn limited(tasks: &[TaskEntry]) -> Result<Vec<Limited>> {
    let mut limits: BTreeMap<String, (Limited, &TaskEntry)> = BTreeMap::new();
    for task in tasks {
        for limited in limits_of(task) {
            let (known, first) = limits.entry(limited.name.clone()).or_insert_with(|| (limited.clone(), task));
            if known.bounds != limited.bounds {
                let (name, here, first, there) = (shown(&limited.name), limited.bounds, first.name, known.bounds);
                let message =
                    format!("the limit `{name}` is {here}, and in the task `{first}` {there}: expected the same");
                return Err(Error::new(Kind::DuplicateTask, message).about_task(task.name));
            }
            known.sharers.extend(limited.sharers);
        }
    }
    for (limited, _) in limits.values_mut() {
        limited.sharers.sort();
        limited.sharers.dedup();
    }
    Ok(limits.into_values().map(|(limited, _)| limited).collect())
}

/// What the code of a program declares.
pub(super) fn declared(tasks: &[TaskEntry]) -> Result<backend::Declared> {
    let names = tasks.iter().map(|task| task.name.to_owned()).collect();
    Ok(backend::Declared { tasks: names, schedules: scheduled(tasks)?, limits: limited(tasks)? })
}

/// How limits are otherwise than a worker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Overruled {
    /// A live worker has the last word.
    Still,
    /// Whoever had it has left, or nobody says anything of them any more.
    Once,
}

/// What a worker declares, and the number that this set has.
pub(super) struct Declared {
    declared: backend::Declared,
    edition: i64,
}

impl Declared {
    pub(super) async fn by(session: &dyn Session, declared: backend::Declared) -> Result<Self> {
        let edition = session.declare(declared.clone()).await?;
        Ok(Self { declared, edition })
    }

    /// Puts it in once more.
    pub(super) async fn declare(&self, session: &dyn Session) -> Result<()> {
        session.declare(self.declared.clone()).await.map(drop)
    }

    /// Whether limits aren't as this worker says, or some are left that nobody says anything of any more.
    pub(super) fn overruled_by(&self, views: &[PoolView]) -> Option<Overruled> {
        let of = |limited: &Limited| match views.iter().find(|view| *view.pool.limit == *limited.name) {
            Some(view) => self.overruled(view),
            None => Some(Overruled::Once),
        };
        let own = self.declared.limits.iter().map(of);
        let others = views.iter().filter(|view| self.has_no(view)).map(|view| self.overruled(view));
        let outlived = views.iter().any(|view| view.outlived).then_some(Overruled::Once);
        own.chain(others).chain([outlived]).flatten().max()
    }

    fn overruled(&self, view: &PoolView) -> Option<Overruled> {
        match view.edition {
            Some(edition) if edition == self.edition => None,
            Some(edition) if edition > self.edition && view.upheld => Some(Overruled::Still),
            _ => Some(Overruled::Once),
        }
    }

    /// Whether somebody else declares a limit of a task of ours that we know nothing of: a later version, which may be gone.
    fn has_no(&self, view: &PoolView) -> bool {
        let limit = &*view.pool.limit;
        let of_ours = limit::task_of(limit).is_some_and(|task| self.declared.tasks.iter().any(|known| known == task));
        of_ours && view.edition.is_some() && self.declared.limits.iter().all(|limited| limited.name != limit)
    }

    /// Whether anything is kept otherwise than this worker says, who has the last word.
    pub(super) fn disagrees(&self, schedules: &[Kept]) -> bool {
        let is_there = |name: &str| schedules.iter().any(|kept| kept.scheduled.name == name);
        schedules
            .iter()
            .any(|kept| self.overrules(kept) || self.has_lost(kept) && !kept.earlier.iter().any(|name| is_there(name)))
    }

    /// Whether it is what a later version has made of one of ours, and left behind when it was rolled back.
    fn has_lost(&self, kept: &Kept) -> bool {
        kept.is_orphaned() && self.declared.schedules.iter().any(|scheduled| kept.earlier.contains(&scheduled.name))
    }

    /// Whether it is one that was created at run time, under a name of one of ours.
    pub(super) fn gives_way_to(&self, kept: &Kept) -> bool {
        kept.created && self.declared.schedules.iter().any(|scheduled| scheduled.name == kept.scheduled.name)
    }

    /// Whether there is anything to make jobs of.
    pub(super) fn has_schedules(&self) -> bool {
        !self.declared.schedules.is_empty()
    }

    fn overrules(&self, kept: &Kept) -> bool {
        // Kept without its arguments, which a declared one never has.
        let differs = |scheduled: &Scheduled| Scheduled { payload: Vec::new(), ..scheduled.clone() } != kept.scheduled;
        let ours = |scheduled: &&Scheduled| scheduled.name == kept.scheduled.name;
        !kept.created
            && kept.edition == Some(self.edition)
            && self.declared.schedules.iter().find(ours).is_some_and(differs)
    }
}

/// What failures and logs call the workers of this process.
pub(super) fn name() -> String {
    format!("{}:{}", host(), std::process::id())
}

/// The machine's name, for people; empty where nobody tells.
fn host() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
    read.map(|name| name.trim().to_owned()).unwrap_or_default()
}
