//! Whom gates have room for, whatever comes: most claims find nobody held up, and nothing to be decided.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use pgq_core::limit::gatehouse::Gatehouse;
use pgq_core::{Claimed, JobId, Timestamp};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use super::convert::{column, database, instant, unsigned};
use super::gates::{lease_lost, never_begins, read_post};
use super::session::PgSession;
use crate::Result;

impl PgSession {
    /// Lets those of the jobs through that find room at all their gates, whoever is first; the other gates of these, which are locked,
    /// as they stand, and the time. The core has to decide at those: most claims have none, and need no further statement.
    pub(super) async fn enter(
        &self,
        connection: &mut PgConnection,
        jobs: &[Claimed],
        locked: &[String],
    ) -> Result<(Gatehouse, Timestamp)> {
        let mut before: BTreeMap<&str, i32> = locked.iter().map(|name| (name.as_str(), 0)).collect();
        let stands =
            |job: &&Claimed| !never_begins(job) && job.limit_keys.iter().all(|name| before.contains_key(name.as_str()));
        let standing: Vec<&Claimed> = jobs.iter().filter(stands).collect();
        let (mut ids, mut epochs, mut gates) = (vec![], vec![], vec![]);
        for job in &standing {
            for name in &job.limit_keys {
                before.entry(name).and_modify(|jobs| *jobs += 1);
                ids.push(job.id.0);
                epochs.push(job.epoch.cast_signed());
                gates.push(name.as_str());
            }
        }
        let (names, counts): (Vec<&str>, Vec<i32>) = before.into_iter().unzip();
        let candidates: Vec<i64> = jobs.iter().map(|job| job.id.0).collect();
        let lanes: BTreeSet<(&str, &str)> = jobs.iter().map(|job| (&*job.queue, &*job.task)).collect();
        let (queues, tasks): (Vec<&str>, Vec<&str>) = lanes.into_iter().unzip();
        let query = self.statements.enter.query().bind(self.lease.0).bind(names).bind(counts).bind(ids).bind(epochs);
        let query = query.bind(gates).bind(candidates).bind(queues).bind(tasks).bind(self.now()).bind(self.settled());
        let rows = query.fetch_all(connection).await.map_err(database)?;
        let (house, now, entered) = read_narrow(&rows)?;
        let wide = standing.iter().filter(|job| !house.knows_any(&job.limit_keys));
        if entered < wide.map(|job| job.limit_keys.len()).sum() {
            return Err(lease_lost());
        }
        Ok((house, now))
    }

    /// How often doubts were settled.
    pub(super) fn settled(&self) -> i32 {
        self.doubts.load(Ordering::SeqCst)
    }
}

/// The gates at which there is something to decide, the time, and how many passes were written.
fn read_narrow(rows: &[PgRow]) -> Result<(Gatehouse, Timestamp, usize)> {
    let (mut posts, mut at, mut entered) = (Vec::with_capacity(rows.len()), Timestamp::EPOCH, 0);
    for row in rows {
        (at, entered) = (instant(row, 7)?, unsigned(column::<i64, _>(row, 13)?));
        if column::<Option<&str>, _>(row, 0)?.is_none() {
            continue;
        }
        let (name, mut post, _) = read_post(row)?;
        if let Some(rank) = column::<Option<i16>, _>(row, 14)? {
            post.first = Some((rank, instant(row, 15)?, JobId(column(row, 16)?)));
        }
        posts.push((name, post));
    }
    Ok((Gatehouse::of(posts), at, entered))
}
