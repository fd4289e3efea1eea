-- `@name` becomes the qualified, quoted name under the schema and prefix of the user's choice; `@@name` the same without
-- the schema, where PostgreSQL takes none.

-- A worker's registration is its lease. Rows stay for an hour after their worker is gone, so that a late one is told.
create table @worker (
  id bigint primary key,
  instance uuid not null,
  host text not null,
  pid int not null,
  span interval not null,
  started timestamptz not null,
  beat timestamptz not null,
  visible boolean not null,               -- whether others can see its connections end
  gone timestamptz,
  freed timestamptz,
  doubts int not null default 0,          -- how often it has handed back what it didn't know of
  edition bigint                          -- the set of declarations that it has
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- Who sleeps, apart from the beats: every enqueue reads this table, and would read their dead versions too.
create table @sleeper (
  worker bigint primary key,
  asleep boolean not null default false,
  until timestamptz not null default '-infinity',
  wants int[] not null
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- Workers of whose claims the server has forgotten none. Unlogged, so that a crash empties it, and that a standby begins without,
-- for then it may have forgotten what was committed without waiting for the disk. A restart in good order forgets nothing.
create unlogged table @remembered (
  worker bigint primary key
);

-- What a worker is told about a job that it runs: that it is cancelled. It reads this with its next beat.
create table @signal (
  worker bigint not null,
  job bigint not null,
  epoch int not null,
  why text not null,
  primary key (worker, job, epoch)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

create table @task (
  name text collate "C" primary key,
  queue text collate "C" not null,
  options jsonb not null,
  schema jsonb,
  fingerprint bigint not null,
  seen timestamptz not null
);

-- What makes jobs by itself. A row says all that a job of it needs, so that any worker can fire it.
create table @schedule (
  name text collate "C" primary key,
  task text collate "C" not null,
  queue text collate "C" not null,
  rank smallint not null,
  max_attempts smallint not null,
  expires_in bigint,                      -- in microseconds
  cadence text not null,                  -- a cron expression, or `every` and a span
  zone text not null,
  missed text not null,
  overlap text not null,
  payload bytea not null,
  limit_keys text[] not null,             -- of its task's limits with a key, for these arguments
  created boolean not null,               -- through a client, and not declared by workers
  paused text,                            -- why it makes no jobs; null where it does
  generation bigint not null default 0,   -- grows whenever something above changes
  last timestamptz not null,              -- the last tick that is accounted for
  waiting timestamptz,                    -- the tick that waits for the job before it to finish
  fired timestamptz,                      -- the last tick of which a job was made
  job bigint                              -- and that job
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- Sets of what workers declare, numbered when they are first seen.
create table @edition (
  number bigint generated always as identity primary key,
  fingerprint bigint not null unique,
  names text[] not null,                  -- of schedules
  tasks text[] not null,
  limits text[] not null,
  shared text[] not null,                 -- those of the limits that tasks share, once for each
  sharers text[] not null                 -- task that does
);

-- How many attempts run at once, and how many start in how long. What is null isn't bounded.
create table @limit (
  name text collate "C" primary key,
  task text collate "C",                  -- whose own it is; null where tasks share it
  sharers text[] not null default '{}',   -- those that do
  keyed boolean not null,                 -- whether each value of a key is counted by itself
  edition bigint,                         -- the set that declares it; null where none does any more
  concurrency int,
  interval_ns bigint,                     -- between two starts, on average
  burst int,
  -- What an operator has set in place of these three.
  overridden boolean not null default false,
  own_concurrency int,
  own_interval_ns bigint,
  own_burst int,
  -- The rate in force as of the last change, if ever one was: its number, and of the last ones before it the time between two starts and
  -- until when. A change of it touches no gate: who looks at one the next time goes by these.
  -- One that is gone and comes back has other numbers than before, as its gates stay.
  pace bigint generated by default as identity (increment 16777216),
  pace_ns bigint,
  pace_burst int,
  past_ns bigint[] not null default '{}',
  past_until timestamptz[] not null default '{}',
  -- Millionths of a token that were in the free units of the rate, and when; null where it isn't bounded.
  tokens bigint not null,
  filled timestamptz,
  counted boolean not null default false, -- whether what runs is counted without a key, as of the last change
  begun bigint not null default 0         -- the number of the last time that this came to be, or to be of other tasks
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- What each worker has of a limit without a key. Read and written under the lock of the limit's row.
create table @share (
  "limit" text collate "C" not null,
  measure smallint not null,              -- 0 concurrency, 1 rate
  worker bigint not null,
  units int not null,
  wish int not null,                      -- how many it would like to have in all
  since timestamptz not null,             -- since when it has waited, if it waits
  tokens bigint not null,                 -- millionths of one that it was given and hasn't fetched
  next timestamptz,                       -- when it has its next one with its units, where it has said so
  awaited boolean not null,               -- whether it is waited for what he says that he runs
  ahead boolean not null default false,   -- whether it waits before others who don't
  primary key ("limit", measure, worker)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- The gate of one limit key: `limit=value`. What its rate lets through is counted here, who has passed it in `pass`. Whoever lets
-- somebody through has its row locked; whoever leaves needn't.
create table @gate (
  name text collate "C" primary key,
  "limit" text collate "C" not null,
  rest timestamptz not null default '-infinity', -- when its rate's bucket is full
  clear timestamptz not null default '-infinity', -- when that has forgotten all the starts that it let through
  pace bigint not null default 0,         -- by which of its limit's rates both are counted
  opens timestamptz,                      -- when to look whether it lets through who waits, where no attempt's end will tell
  since timestamptz not null,             -- when it was put in: one that is in use goes now and then too, and is put in again
  -- What an operator has set in place of its limit's bounds.
  overridden boolean not null default false,
  own_concurrency int,
  own_interval_ns bigint,
  own_burst int
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

create index @@gate_opens on @gate (opens) where opens is not null;
create index @@gate_idle on @gate (since) where opens is null and not overridden;
create index @@gate_overridden on @gate ("limit", name) where overridden;
-- Each look at limits asks for the least of them, where most values may have nothing but a rate of their own.
create index @@gate_bounded on @gate ("limit", own_concurrency) where own_concurrency is not null;

-- Running attempts that have passed a gate. One that was left behind counts beside that of the job's next claim until it is taken away:
-- whoever inserted one in its place would write half as much again.
create table @pass (
  job bigint not null,
  gate text collate "C" not null,
  epoch int not null,
  lease bigint not null,
  primary key (gate, job, epoch, lease)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- What is done now and then, by one for all, and when somebody last took it on.
create table @chore (
  name text collate "C" primary key,
  taken timestamptz not null
);

-- What nothing is claimed of.
create table @pause (
  kind text not null check (kind in ('queue', 'task')),
  name text collate "C" not null,
  reason text not null,
  since timestamptz not null,
  until timestamptz,                      -- null until somebody resumes it
  primary key (kind, name)
);

-- What a claim, a finish and progress change (lease, epoch, attempt, crashes, progress) stands in no index, predicate or include list, and
-- half of each page is left free: so a claim is a heap-only update, at twice the speed and half the log.
create table @job (
  id bigint generated by default as identity primary key,
  run_at timestamptz not null,
  created timestamptz not null,
  lease bigint,
  parent bigint,
  progress bigint,                        -- how far its last attempt has come; null where it hasn't said
  progress_total bigint,                  -- 0 where it doesn't know
  progress_at timestamptz,                -- when it was told
  epoch int not null default 0,
  attempt smallint not null default 0,
  crashes smallint not null default 0,
  max_attempts smallint not null,
  lane smallint not null,                 -- 0 ready or running, 1 deferred, 2 parked by a keyed limit, 3 tombstone
  rank smallint not null,                 -- minus the priority, so that every column of the ready index ascends
  version smallint not null default 1,
  codec smallint not null,
  retrying boolean not null default false,
  queue text collate "C" not null,
  task text collate "C" not null,
  unique_key text collate "C",
  limit_key text collate "C",             -- the gate that it waits at, or has left to pass it; else the first that it has to pass
  expires_at timestamptz,
  headers jsonb,
  extra jsonb,
  payload bytea not null
) with (fillfactor = 50,
        autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000,
        toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 20000,
        toast.autovacuum_vacuum_cost_delay = 0);

create index @@job_ready on @job (queue, task, rank, run_at, id) where lane = 0;
create index @@job_deferred on @job (run_at, id) where lane = 1;
create index @@job_parked on @job (limit_key, rank, run_at, id) where lane = 2;
-- Those that may stand before a gate for one at a time, in their order. Whose workers come for them, the first is looked for among:
-- behind a gate that tasks share there may be a backlog of others.
create index @@job_gated on @job (limit_key, queue, task, rank, run_at, id) where lane = 0 and limit_key is not null;
create index @@job_tombstone on @job (run_at) where lane = 3;
create index @@job_expires on @job (expires_at) where expires_at is not null;
create unique index @@job_unique on @job (task, unique_key) where unique_key is not null;

-- Goes with its job: a retry by hand keeps it, and what isn't kept leaves none.
create table @failure (
  job bigint not null,
  epoch int not null,
  attempt smallint not null,
  worker text,                            -- host:pid; null where no attempt was running
  started timestamptz,                    -- null where nobody knows
  ended timestamptz not null,
  kind text not null,
  message text not null,
  chain jsonb not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

create index @@failure_job on @failure (job, epoch);

-- Partitioned by when rows expire, which costs a finish nothing, so that partitions of a day may come beside the default one
-- some day and go as a whole. Until then it is pruned by deletes, which a role that owns nothing may do, and which cost
-- less than a fifth of what the rest of a job does. A finish can't fail for want of a partition.
create table @history (
  id bigint not null,
  expires timestamptz not null,
  finished timestamptz not null,
  created timestamptz not null,
  run_at timestamptz not null,
  lease bigint,                           -- null where no attempt was running
  parent bigint,
  progress bigint,
  progress_total bigint,
  progress_at timestamptz,
  epoch int not null,
  state smallint not null,                -- 4 completed, 5 cancelled, 6 discarded
  attempt smallint not null,
  crashes smallint not null,
  max_attempts smallint not null,
  rank smallint not null,
  version smallint not null,
  codec smallint not null,
  queue text collate "C" not null,
  task text collate "C" not null,
  unique_key text collate "C",
  headers jsonb,
  extra jsonb,
  payload bytea not null
) partition by range (expires);

create index @@history_id on @history (id);
-- Few are cancelled or discarded among many that were completed, and they are looked for by hand.
create index @@history_given_up on @history (id) where state <> 4;
create index @@history_expires on @history (expires);
create table @history_default partition of @history default
  with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000, autovacuum_vacuum_cost_delay = 0,
        toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 50000,
        toast.autovacuum_vacuum_cost_delay = 0);

-- For people and dashboards: every job with its state in words.
create view @jobs as
select id, task, queue,
       case when lease is not null then 'running'
            when lane = 1 and run_at > statement_timestamp() then case when retrying then 'retryable' else 'scheduled' end
            else 'available' end as state,
       -rank as priority, attempt, max_attempts, epoch, crashes, created, run_at, null::timestamptz as finished, headers,
       extra ->> 'schedule' as schedule,
       timestamptz 'epoch' + (extra -> 'tick' ->> 0)::bigint * interval '1 microsecond' as tick,
       progress, progress_total, progress_at
from @job
where lane <> 3
union all
select id, task, queue,
       case state when 4 then 'completed' when 5 then 'cancelled' else 'discarded' end,
       -rank, attempt, max_attempts, epoch, crashes, created, run_at, finished, headers,
       extra ->> 'schedule', timestamptz 'epoch' + (extra -> 'tick' ->> 0)::bigint * interval '1 microsecond',
       progress, progress_total, progress_at
from @history;
