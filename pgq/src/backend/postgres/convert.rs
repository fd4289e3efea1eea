//! Between our values and PostgreSQL's.

use pgq_core::literal::MAX_SPAN;
use pgq_core::{JobId, Timestamp};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgRow, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::{ColumnIndex, Decode, Encode, Postgres, Row, Type};

use crate::error::{Error, Kind, Result};

/// Microseconds from the Unix epoch to PostgreSQL's, 2000-01-01.
const EPOCH: i64 = 946_684_800_000_000;
/// Built-in types have the same numbers on every server; going by name would cost a look-up.
const TIMESTAMPTZ: Oid = Oid(1184);
const TIMESTAMPTZ_ARRAY: Oid = Oid(1185);

/// A `timestamptz` on the wire: microseconds since 2000-01-01.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instant(pub(super) Timestamp);

impl Type<Postgres> for Instant {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ)
    }
}

impl PgHasArrayType for Instant {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ_ARRAY)
    }
}

impl Encode<'_, Postgres> for Instant {
    fn encode_by_ref(&self, buf: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode(self.0.as_micros().saturating_sub(EPOCH), buf)
    }
}

impl Decode<'_, Postgres> for Instant {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        match value.format() {
            PgValueFormat::Binary => {
                let micros: i64 = Decode::<Postgres>::decode(value)?;
                Ok(Self(Timestamp::from_micros(micros.saturating_add(EPOCH))))
            }
            PgValueFormat::Text => Err("a timestamptz is read in binary".into()),
        }
    }
}

/// What to do where there are no tables.
pub(super) const INSTALL: &str = "run `pgq::Client::migrate`, or start the worker with --migrate";

const LENT: &str = "a statement isn't prepared where the driver thinks: a pooler in transaction mode, such as PgBouncer, seems to \
    be in between; say so by PGQ_POLL_ONLY=1 or `ClientBuilder::poll_only`, and by `.persistent(false)` in SQL of your own, \
    within a transaction";

/// An error of the driver: the connection's, or the server's answer.
pub(crate) fn database(error: sqlx::Error) -> Error {
    let unreachable = matches!(
        error,
        sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
    );
    if unreachable {
        return Error::new(Kind::Unreachable, "the connection to the database failed").because(error);
    }
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    if code.as_deref().is_some_and(is_passing) {
        return Error::new(Kind::Overtaxed, "the database couldn't do a statement just now").because(error);
    }
    // A prepared statement that is there already, or isn't.
    if code.as_deref().is_some_and(|code| code == "42P05" || code == "26000") {
        return Error::new(Kind::Database, LENT).because(error);
    }
    // No such table, or no such schema.
    if code.is_some_and(|code| code == "42P01" || code == "3F000") {
        return Error::new(Kind::SchemaAbsent, format!("pgq isn't installed in this database: {INSTALL}"))
            .because(error);
    }
    Error::new(Kind::Database, "the database refused a statement").because(error)
}

/// Whether a statement that ended so may well succeed when it is tried again: the connection broke, or a pooler says that its own
/// did (class 08), rolled back for another's sake (40), short of something (53), an object in use (55), somebody stepped in (57),
/// the system's own errors (58, XX, but for damaged data), a server that only reads for now (25006), a transaction that took too long (25P03, 25P04).
/// Source: PostgreSQL's manual, appendix A.
pub(super) fn is_passing(code: &str) -> bool {
    let passes = ["08", "25006", "25P03", "25P04", "40", "53", "55", "57", "58", "XX"];
    passes.iter().any(|class| code.starts_with(class)) && !["XX001", "XX002"].contains(&code)
}

/// A column of a row that one of our own statements returned.
pub(super) fn column<'r, T, I>(row: &'r PgRow, index: I) -> Result<T>
where
    T: Decode<'r, Postgres> + Type<Postgres>,
    I: ColumnIndex<PgRow>,
{
    row.try_get(index).map_err(database)
}

pub(super) fn job_id(row: &PgRow) -> Result<JobId> {
    column(row, 0).map(JobId)
}

pub(super) fn instant(row: &PgRow, index: usize) -> Result<Timestamp> {
    column::<Instant, _>(row, index).map(|instant| instant.0)
}

/// A count that the database keeps as a `smallint` or `int` and that is never negative.
pub(super) fn unsigned<S: TryInto<U>, U: Default>(value: S) -> U {
    value.try_into().unwrap_or_default()
}

/// A span as the microseconds of a `bigint`: at most the hundred years that every span of ours has, because an interval or
/// an instant that overflows would fail the whole statement and all that stands in it.
pub(super) fn micros(span: std::time::Duration) -> i64 {
    i64::try_from(span.min(MAX_SPAN).as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use pgq_testdb::{Options, Server};
    use sqlx::{Connection, Executor, PgConnection};

    use super::*;
    use crate::Client;

    #[tokio::test]
    async fn a_standby_only_reads_whatever_it_is_asked() {
        let primary = Server::start(Options::default()).unwrap();
        Client::connect(&primary.url()).await.unwrap().migrate().await.unwrap();
        let standby = primary.standby().unwrap();
        let mut connection = PgConnection::connect(&standby.url()).await.unwrap();
        for asked in ["select from pgq.remembered", "insert into pgq.remembered values (1)", "delete from pgq.job"] {
            let refused = database(connection.execute(asked).await.unwrap_err());
            assert!(refused.is_read_only(), "{asked}: {refused:?}");
        }
    }
}
