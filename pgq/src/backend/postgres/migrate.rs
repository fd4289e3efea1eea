//! Installing the schema and keeping it up to date. Versions are ours alone: an application's own `_sqlx_migrations`
//! stays its own. Everything here is done in a transaction and prepared by no name, so that it is right through a pooler too,
//! also for who has yet to be told that there is one.

use sqlx::{AssertSqlSafe, Executor, PgConnection};

use super::Postgres;
use super::blame::INSTALL;
use super::convert::{column, database};
use super::namespace::{Namespace, once};
use crate::Result;
use crate::backend::Migrated;
use crate::error::{Error, Kind};

/// The migrations, oldest first; the version is the place in this list, from 1.
const MIGRATIONS: &[&str] = &[include_str!("../../../migrations/0001_initial.sql")];

/// The version that this crate works with.
#[expect(clippy::cast_possible_truncation, reason = "a handful")]
const CURRENT: u32 = MIGRATIONS.len() as u32;

/// Brings the schema up to date, in one transaction: it is all there or nothing is.
pub(super) async fn migrate(backend: &Postgres) -> Result<Migrated> {
    let namespace = &backend.statements.namespace;
    let mut transaction = backend.link.begin().await?;
    // Each statement has to see what was committed before it, or whoever waits here would install once more.
    transaction.execute("set transaction isolation level read committed").await.map_err(database)?;
    let lock = once("select pg_advisory_xact_lock($1)").bind(namespace.lock("migrate"));
    lock.execute(&mut *transaction).await.map_err(database)?;
    let from = match installed(namespace, &mut transaction).await? {
        Some(version) => version,
        None => prepare(namespace, &mut transaction).await?,
    };
    if from > CURRENT {
        return Err(newer(namespace, from));
    }
    for (version, migration) in (1..).zip(MIGRATIONS).skip(from as usize) {
        run(&mut transaction, namespace.render(migration)).await?;
        let record = format!("insert into @migration values ({version})");
        run(&mut transaction, namespace.render(&record)).await?;
    }
    transaction.commit().await.map_err(database)?;
    Ok(Migrated { from, to: CURRENT })
}

/// An error that says what to run, unless the schema is there in this crate's version.
pub(super) async fn check(backend: &Postgres) -> Result<()> {
    let namespace = &backend.statements.namespace;
    let link = &backend.link;
    match installed(namespace, &mut *link.begin().await?).await? {
        Some(CURRENT) => Ok(()),
        Some(version) if version > CURRENT => Err(newer(namespace, version)),
        Some(version) => Err(Error::new(
            Kind::SchemaMismatch,
            format!("the tables of pgq ({namespace}) are of version {version}, expected {CURRENT}: {INSTALL}"),
        )),
        None => Err(Error::new(
            Kind::SchemaAbsent,
            format!("pgq isn't installed in this database ({namespace}): {INSTALL}"),
        )),
    }
}

fn newer(namespace: &Namespace, version: u32) -> Error {
    let message = format!(
        "the tables of pgq ({namespace}) are of version {version}, newer than the {CURRENT} that this program knows: \
         build it with a newer pgq"
    );
    Error::new(Kind::SchemaMismatch, message)
}

/// The version that is installed, or `None`.
async fn installed(namespace: &Namespace, connection: &mut PgConnection) -> Result<Option<u32>> {
    let query = once("select to_regclass($1) is not null").bind(namespace.render("@migration"));
    let row = query.fetch_one(&mut *connection).await.map_err(database)?;
    if !column::<bool, _>(&row, 0)? {
        return Ok(None);
    }
    let query = namespace.render("select coalesce(max(version), 0) from @migration");
    let row = connection.fetch_one(AssertSqlSafe(query)).await.map_err(database)?;
    Ok(Some(super::convert::unsigned(column::<i32, _>(&row, 0)?)))
}

/// Makes the schema and the table of versions, once it is certain that nothing of somebody else's is in the way.
async fn prepare(namespace: &Namespace, connection: &mut PgConnection) -> Result<u32> {
    refuse_foreign(namespace, connection).await?;
    // Not `if not exists` alone: that asks for the right to create a schema even where it is there already.
    let query = once("select to_regnamespace($1) is not null").bind(format!("\"{}\"", namespace.schema()));
    let row = query.fetch_one(&mut *connection).await.map_err(database)?;
    if !column::<bool, _>(&row, 0)? {
        run(connection, format!("create schema \"{}\"", namespace.schema())).await?;
    }
    let table = "create table @migration (version int primary key, applied timestamptz not null default now())";
    run(connection, namespace.render(table)).await?;
    Ok(0)
}

/// Other software uses the schema `pgq` too. Without a prefix the schema has to be empty; with one, nothing in it may
/// begin with it.
async fn refuse_foreign(namespace: &Namespace, connection: &mut PgConnection) -> Result<()> {
    let query = once(
        "select relname::text from pg_class join pg_namespace on pg_namespace.oid = relnamespace
         where nspname = $1 and starts_with(relname, $2) and relkind in ('r', 'p', 'v', 'm', 'S') order by 1 limit 1",
    );
    let query = query.bind(namespace.schema()).bind(namespace.prefix());
    let Some(row) = query.fetch_optional(connection).await.map_err(database)? else { return Ok(()) };
    let found: String = column(&row, 0)?;
    let message = format!(
        "the {namespace} holds `{found}`, which isn't ours: choose another with --schema or --prefix (PGQ_SCHEMA, \
         PGQ_PREFIX)"
    );
    Err(Error::invalid(message))
}

async fn run(connection: &mut PgConnection, sql: String) -> Result<()> {
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.map(drop).map_err(database)
}
