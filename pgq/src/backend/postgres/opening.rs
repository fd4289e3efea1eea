//! The gates of limits that have changed: where somebody waits they are due. There may be a hundred thousand, and whoever changes a limit
//! has all locked that depends on it. So it opens few of them there, and the others after its commit, in steps.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres};

use super::convert::{column, database};
use super::gates::WAITING;
use super::limit::Books;
use super::link::Link;
use super::namespace::Sql;
use crate::Result;

/// So many are opened at once.
const STEP: usize = 1_000;

/// Limits, and after which of its gates there may be more to open of each.
#[derive(Default)]
pub(super) struct Unopened {
    limits: Vec<String>,
    after: Vec<String>,
}

impl Unopened {
    /// All of these.
    fn all(limits: &[String]) -> Self {
        Self { limits: limits.to_vec(), after: vec![String::new(); limits.len()] }
    }

    fn read(rows: &[PgRow]) -> Result<Self> {
        let gates = rows.iter().map(|row| Ok((column(row, 0)?, column(row, 1)?)));
        let (limits, after) = gates.collect::<Result<Vec<_>>>()?.into_iter().unzip();
        Ok(Self { limits, after })
    }

    fn is_empty(&self) -> bool {
        self.limits.is_empty()
    }
}

impl Books<'_> {
    /// Opens the first gates of these limits, which are locked; those that are left.
    pub(super) async fn open_first(&self, connection: &mut PgConnection, limits: &[String]) -> Result<Unopened> {
        let query = self.step(&self.statements.open_limits, Unopened::all(limits));
        Unopened::read(&query.fetch_all(connection).await.map_err(database)?)
    }

    /// Opens those that are left. Whoever waits there otherwise, as it didn't come to that, goes a little later.
    pub(super) async fn open_rest(&self, link: &Link, mut rest: Unopened) -> Result<()> {
        while !rest.is_empty() {
            rest = Unopened::read(&link.rows(self.step(&self.statements.open_limits, rest)).await?)?;
        }
        Ok(())
    }

    /// Opens those of these limits that somebody had locked.
    pub(super) async fn open_missed(&self, link: &Link, limits: &[String]) -> Result<()> {
        let mut rest = Unopened::all(limits);
        while !rest.is_empty() {
            let mut transaction = link.begin_with(WAITING).await?;
            let query = self.step(&self.statements.open_missed, rest);
            rest = Unopened::read(&query.fetch_all(&mut *transaction).await.map_err(database)?)?;
            transaction.commit().await.map_err(database)?;
        }
        Ok(())
    }

    fn step<'q>(&self, statement: &Sql, unopened: Unopened) -> Query<'q, Postgres, PgArguments> {
        let Unopened { limits, after } = unopened;
        let of_each = (STEP / limits.len().max(1)).max(1);
        let of_each = i32::try_from(of_each).unwrap_or(i32::MAX);
        statement.query().bind(limits).bind(after).bind(of_each).bind(self.now)
    }
}
