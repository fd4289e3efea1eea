//! What a worker program prints when it starts.

use std::fmt::Write as _;

use pgq_core::{Cadence, Schedule, Timestamp};

use super::plan::Duties;
use crate::task::TaskEntry;

/// What the worker does, and its tasks by crate, so that a crate which isn't linked is seen to be missing.
pub(super) fn banner(place: &str, who: &str, tasks: &[TaskEntry], duties: Duties, now: Timestamp) -> String {
    let mut text = format!("pgq {}, jobs in {place}\n  {who}\n", env!("CARGO_PKG_VERSION"));
    let is_schedule = |task: &&TaskEntry| task.options.schedule().is_some();
    let has_schedules = tasks.iter().any(|task| is_schedule(&task));
    text.push_str(match duties {
        Duties::Schedules => "  makes the jobs of all schedules, and leaves it to others to run them\n",
        Duties::Tasks if has_schedules => "  leaves it to others to make the jobs of schedules\n",
        Duties::Tasks | Duties::All => "",
    });
    let shown = |task: &&TaskEntry| duties != Duties::Schedules || is_schedule(task);
    let shown: Vec<&TaskEntry> = tasks.iter().filter(shown).collect();
    let width = shown.iter().map(|task| task.name.len()).max().unwrap_or_default();
    let mut krate = "";
    for task in shown {
        if task.location.krate != krate {
            krate = task.location.krate;
            let _ = writeln!(text, "  {krate}");
        }
        let _ = write!(text, "    {:width$}  queue {}  {}", task.name, task.options.queue(), task.location);
        let schedule = task.options.schedule().map(|schedule| ticking(schedule, now)).unwrap_or_default();
        let _ = writeln!(text, "{schedule}");
    }
    text
}

/// When it ticks, as the code says.
fn ticking(schedule: &Schedule, now: Timestamp) -> String {
    let Schedule { cadence, zone, .. } = schedule;
    let zone = if cadence.starts_with("every ") { String::new() } else { format!(" {zone}") };
    let next = Cadence::read(cadence, schedule.zone).ok().and_then(|cadence| cadence.next(now));
    let next = next.map(|tick| format!(", next {tick}")).unwrap_or_default();
    format!("  {cadence}{zone}{next}")
}
