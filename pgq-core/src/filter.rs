//! Which jobs an operator means.

use std::time::Duration;

use crate::{Headers, JobId, State, Timestamp};

/// Conditions on a job that all must hold. One without a condition means every job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of one of these tasks; of any, where there is none.
    pub tasks: Vec<String>,
    /// In one of these queues; in any, where there is none.
    pub queues: Vec<String>,
    /// In one of these states; in any, where there is none.
    pub states: Vec<State>,
    /// Enqueued so long ago or longer.
    pub older_than: Option<Duration>,
    /// Enqueued less long ago.
    pub younger_than: Option<Duration>,
    /// Having these headers with these values.
    pub headers: Headers,
    /// Having headers of these names, whatever their values.
    pub tags: Vec<String>,
    /// Made by ticks of one of these schedules; by anything, where there is none.
    pub schedules: Vec<String>,
    /// Some failed attempt's message holds this text; lower and upper case are one.
    pub error: Option<String>,
}

/// What a filter looks at.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'j> {
    /// Its id.
    pub id: JobId,
    /// The task that runs it.
    pub task: &'j str,
    /// The lane that it waits in.
    pub queue: &'j str,
    /// Where it stands.
    pub state: State,
    /// When it was enqueued.
    pub created: Timestamp,
    /// Text that travels along.
    pub headers: &'j Headers,
    /// The schedule that made it, where one did.
    pub schedule: Option<&'j str>,
}

impl Filter {
    /// Whether it means every job.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it means this job. `messages` are those of its failed attempts.
    pub fn admits<'m>(&self, job: Candidate<'_>, now: Timestamp, mut messages: impl Iterator<Item = &'m str>) -> bool {
        let age = now.since(job.created);
        among(&self.tasks, job.task)
            && among(&self.queues, job.queue)
            && (self.states.is_empty() || self.states.contains(&job.state))
            && self.older_than.is_none_or(|span| age >= span)
            && self.younger_than.is_none_or(|span| age < span)
            && self.headers.iter().all(|(name, value)| job.headers.get(name) == Some(value))
            && self.tags.iter().all(|name| job.headers.contains_key(name))
            && (self.schedules.is_empty() || job.schedule.is_some_and(|schedule| among(&self.schedules, schedule)))
            && self.error.as_ref().is_none_or(|text| messages.any(|message| holds(message, text)))
    }
}

fn among(names: &[String], name: &str) -> bool {
    names.is_empty() || names.iter().any(|wanted| wanted == name)
}

fn holds(message: &str, text: &str) -> bool {
    message.to_lowercase().contains(&text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(60_000_000);

    fn admits(filter: &Filter) -> bool {
        let headers = Headers::from([("tenant".to_owned(), "acme".to_owned())]);
        let job = Candidate {
            id: JobId(1),
            task: "charge",
            queue: "default",
            state: State::Discarded,
            created: Timestamp::EPOCH,
            headers: &headers,
            schedule: Some("nightly"),
        };
        filter.admits(job, NOW, ["no route to Host"].into_iter())
    }

    fn some(text: &str) -> Vec<String> {
        vec![text.to_owned()]
    }

    #[test]
    fn without_a_condition_every_job_is_meant() {
        assert!(Filter::default().is_everything());
        assert!(admits(&Filter::default()));
    }

    #[test]
    fn each_condition_admits_and_refuses() {
        let minute = Duration::from_mins(1);
        let header = |value: &str| Headers::from([("tenant".to_owned(), value.to_owned())]);
        let none = Filter::default;
        let table = [
            (Filter { tasks: some("charge"), ..none() }, Filter { tasks: some("refund"), ..none() }),
            (Filter { queues: some("default"), ..none() }, Filter { queues: some("bulk"), ..none() }),
            (Filter { states: vec![State::Discarded], ..none() }, Filter { states: vec![State::Running], ..none() }),
            (Filter { older_than: Some(minute), ..none() }, Filter { younger_than: Some(minute), ..none() }),
            (Filter { headers: header("acme"), ..none() }, Filter { headers: header("globex"), ..none() }),
            (Filter { tags: some("tenant"), ..none() }, Filter { tags: some("vip"), ..none() }),
            (Filter { schedules: some("nightly"), ..none() }, Filter { schedules: some("hourly"), ..none() }),
            (Filter { error: Some("ROUTE to".into()), ..none() }, Filter { error: Some("timeout".into()), ..none() }),
        ];
        for (admitting, refusing) in table {
            assert!(admits(&admitting), "{admitting:?}");
            assert!(!admits(&refusing), "{refusing:?}");
        }
    }

    #[test]
    fn all_conditions_must_hold() {
        assert!(!admits(&Filter { tasks: some("charge"), queues: some("bulk"), ..Filter::default() }));
    }
}
