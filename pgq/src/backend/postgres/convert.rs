//! Between our values and PostgreSQL's.

use pgq_core::literal::MAX_SPAN;
use pgq_core::{JobId, Timestamp};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgRow, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::{ColumnIndex, Decode, Encode, Postgres, Row, Type};

pub(super) use super::blame::database;
use crate::error::Result;

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
