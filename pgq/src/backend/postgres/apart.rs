//! What is done to many rows by one statement, where the database refuses it because of some of them: it is done in halves, down to
//! the single rows that are refused. These are named, and left alone for a while.

use std::time::Duration;

use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;

use super::convert::column;
use super::refused::Chore;
use super::session::PgSession;
use crate::error::{Error, Result};

/// How long one step may look for them: each part of it may be a scan.
const APART: Duration = Duration::from_secs(5);
/// So many that are refused, and none that isn't: it isn't single ones.
const HOPELESS: usize = 100;
/// How many of one step are named.
const NAMED: usize = 5;

impl PgSession {
    /// Those that were refused a moment ago.
    pub(super) fn aside(&self, chore: Chore) -> Vec<i64> {
        self.refused().rows(chore)
    }

    /// Leaves one aside that is refused, and names it.
    pub(super) fn set_aside(&self, chore: Chore, row: i64, error: &Error) {
        if self.refused().add(chore, row) {
            tell_of(chore, row, 0, error);
        }
    }

    /// Does it to those of the candidates that aren't refused, after a step was. What isn't tried in time is left to the next step.
    pub(super) async fn apart<F>(
        &self,
        chore: Chore,
        refusal: Error,
        candidates: Query<'_, Postgres, PgArguments>,
        act: impl Fn(Vec<i64>) -> F + Send + Sync,
    ) -> Result<Vec<PgRow>>
    where
        F: Future<Output = Result<Vec<PgRow>>> + Send,
    {
        let found = self.engine().rows(candidates).await?;
        let found: Vec<i64> = found.iter().map(|row| column(row, 0)).collect::<Result<_>>()?;
        if found.is_empty() {
            // It isn't for any row.
            return Err(refusal);
        }
        let (mut parts, mut done, begun) = (vec![found], Vec::new(), self.clock.mark());
        let (mut refused, mut told) = (0, 0);
        while let Some(mut part) = parts.pop().filter(|_| begun.elapsed() < APART) {
            match act(part.clone()).await {
                Ok(rows) => done.extend(rows),
                Err(error) if error.is_refusal() && part.len() > 1 => {
                    let rest = part.split_off(part.len() / 2);
                    parts.extend([rest, part]);
                }
                Err(error) if error.is_refusal() => {
                    refused += part.len();
                    for row in part.into_iter().filter(|row| self.refused().add(chore, *row)) {
                        tell_of(chore, row, told, &error);
                        told += 1;
                    }
                    if done.is_empty() && refused >= HOPELESS {
                        return Err(error);
                    }
                }
                // What was done stands, and is told.
                Err(_) if !done.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }
}

fn tell_of(chore: Chore, row: i64, told: usize, error: &Error) {
    let error = error.in_line();
    match told {
        0..NAMED => tracing::error!(job = row, error, "{chore}: it is tried again now and then"),
        NAMED => tracing::error!(error, "{chore}, and others can't either"),
        _ => {}
    }
}
