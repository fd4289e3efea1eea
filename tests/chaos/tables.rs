//! Where it is written down what was promised and done.

use pgq::sqlx::{PgPool, raw_sql};

/// Ours; pgq's tables stand beside them in their own schema. Nothing here is unique: it is counted. And a disk that is full
/// when we say so.
const TABLES: &str = "
    create table promise (job bigint not null, task text not null);
    create table run (job bigint not null, epoch bigint not null, worker text not null, crashes int not null,
                      begun timestamptz not null, ended timestamptz, task text not null, key text,
                      noted timestamptz not null, lease bigint);
    create index on run (job, epoch);
    create index on run (begun) where epoch = 1 and key is null;
    create table departure (job bigint not null, epoch bigint not null, worker text not null, at timestamptz not null);
    create index on departure (job, epoch);
    create table effect (job bigint not null);
    create table receipt (job bigint primary key, paid bigint not null);
    create index on receipt (paid);
    create table worker_process (worker text primary key, pid int not null);
    create table kill (pid int not null, at timestamptz not null);
    create table went_on (pid int not null, at timestamptz not null);
    create table shake (at timestamptz not null);
    create table disk_full (yes boolean not null);
    create function refuse_when_full() returns trigger language plpgsql as $$
      begin
        if exists (select from public.disk_full) then
          raise 'no space left on device' using errcode = 'disk_full';
        end if;
        return new;
      end $$;
    create trigger full_disk before insert on pgq.history_default for each row execute function refuse_when_full();
    create table lease_end (lease bigint primary key, at timestamptz not null);
    create function note_lease_end() returns trigger language plpgsql as $$
      begin
        insert into public.lease_end values (new.id, new.gone);
        return new;
      end $$;
    create trigger lease_end before update on pgq.worker for each row
      when (old.gone is null and new.gone is not null) execute function note_lease_end()";

pub(crate) async fn open(pool: &PgPool) -> anyhow::Result<()> {
    raw_sql(TABLES).execute(pool).await?;
    Ok(())
}
