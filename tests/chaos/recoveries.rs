//! How long it takes until the jobs of a killed worker run again.

use std::fmt;

use pgq::sqlx::{self, PgPool};

/// The longest that 99 of 100 may take to run again after their worker was killed, away from outages, in ms, and that by which
/// the latest of the jobs that were new then began late: how busy the machine is says nothing of the recovery. So what holds up
/// all jobs alike isn't noticed by this.
const BOUND: f64 = 2_000.0;
/// Of fewer than so many nothing is said.
const ENOUGH: usize = 20;

/// What jobs of killed workers waited for, in ms since the kill.
#[derive(Clone, Copy, Debug)]
struct Recovery {
    /// Until they ran again.
    span: f64,
    /// Until the last outage was over, where there was one meanwhile.
    back: f64,
    /// Until somebody said that their worker was gone.
    gone: f64,
    /// That a job waited for its turn, at most, that was new and began between then and the recovery.
    queue: f64,
    shaken: bool,
}

/// Those soon after or before an outage, and the others. Who crashed for the first time runs again at once; from the second time
/// on there is a pause. Who is limited may have to wait for others, and an attempt that had failed by itself was not waiting.
pub(crate) async fn recoveries(pool: &PgPool) -> Result<(Recoveries, Recoveries), sqlx::Error> {
    let query = "
        with recovery as (
          select kill.at, next.begun, lease_end.at as gone
          from kill
          join worker_process using (pid)
          join run on run.worker = worker_process.worker and run.begun < kill.at and run.ended is null and run.key is null
          join lease_end on lease_end.lease = run.lease and lease_end.at > kill.at
          join lateral (select begun, crashes from run as later where later.job = run.job and later.epoch > run.epoch
                        order by epoch limit 1) as next on next.crashes = 1 and next.begun > kill.at
          where exists (select from pgq.failure
                        where failure.job = run.job and failure.epoch = run.epoch and failure.kind = 'crashed')),
        seen as (
          select at, begun, gone,
                 (select greatest(max(shake.at), recovery.at) from shake where shake.at < recovery.begun) as back,
                 exists (select from shake
                         where shake.at between recovery.at - interval '8 seconds' and recovery.at + interval '3 seconds')
                   as shaken
          from recovery)
        select (extract(epoch from begun - at) * 1000)::float8 as span, (extract(epoch from back - at) * 1000)::float8 as back,
               (extract(epoch from gone - at) * 1000)::float8 as gone,
               (select coalesce(extract(epoch from max(new.begun - history.run_at)) * 1000, 0)::float8
                from run as new join pgq.history on history.id = new.job
                where new.epoch = 1 and new.key is null and new.begun between seen.gone and seen.begun) as queue,
               shaken
        from seen
        order by span";
    let rows: Vec<(f64, f64, f64, f64, bool)> = sqlx::query_as(query).fetch_all(pool).await?;
    let all = rows.into_iter().map(|(span, back, gone, queue, shaken)| Recovery { span, back, gone, queue, shaken });
    let (shaken, others) = all.partition(|recovery| recovery.shaken);
    Ok((Recoveries(shaken), Recoveries(others)))
}

/// In order.
#[derive(Debug)]
pub(crate) struct Recoveries(Vec<Recovery>);

impl Recoveries {
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// One of each hundred that was begun may be late: alone it tells of a machine that was held up.
    pub(crate) fn violation(&self) -> Option<String> {
        let late = |recovery: &&Recovery| recovery.span > BOUND + recovery.queue;
        let (late, count) = (self.0.iter().filter(late).count(), self.count());
        (count >= ENOUGH && late > count.div_ceil(100))
            .then(|| format!("{late} of {count} recoveries after a kill took {BOUND} ms longer than new jobs waited"))
    }

    /// Whether they were held against the bound.
    pub(crate) fn judgement(&self) -> &'static str {
        if self.count() < ENOUGH {
            "not judged: too few"
        } else if self.violation().is_some() {
            "late"
        } else {
            "in time"
        }
    }

    /// The longest of the quickest share of them.
    pub(crate) fn longest(&self, share: f64) -> Option<f64> {
        self.at(share).map(|recovery| recovery.span)
    }

    fn at(&self, share: f64) -> Option<Recovery> {
        let last = self.0.len().checked_sub(1)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        let at = (last as f64 * share).round() as usize;
        self.0.get(at).copied()
    }

    pub(crate) fn write(&self, f: &mut fmt::Formatter<'_>, what: &str) -> fmt::Result {
        writeln!(f, "  {what:<38} {:>9}", self.count())?;
        for (what, share) in [("  p50, ms", 0.5), ("  p99, ms", 0.99), ("  longest, ms", 1.0)] {
            if let Some(span) = self.longest(share) {
                writeln!(f, "  {what:<38} {span:>9.0}")?;
            }
        }
        Ok(())
    }

    /// What the longest of them waited for.
    pub(crate) fn explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Recovery { span, back, gone, queue, .. }) = self.at(1.0) else { return Ok(()) };
        let parts = [
            ("outages and stops", back),
            ("the lease, then", (gone - back).max(0.0)),
            ("its turn", span - gone.max(back)),
            ("a new job, for its turn", queue),
        ];
        parts
            .iter()
            .try_for_each(|(what, part)| writeln!(f, "  {:<38} {part:>9.0}", format!("    of these for {what}")))
    }
}
