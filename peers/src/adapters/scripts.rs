//! Peers in other languages: what they do is in `scripts`.

use crate::peer::{Entry, RunsIn};

/// The scripts themselves, by their names.
pub(crate) const PYTHON: [(&str, &str); 2] = [
    ("peer_pgqueuer.py", include_str!("../../scripts/peer_pgqueuer.py")),
    ("peer_procrastinate.py", include_str!("../../scripts/peer_procrastinate.py")),
];
pub(crate) const NODE: [(&str, &str); 2] = [
    ("peer_graphile_worker.mjs", include_str!("../../scripts/peer_graphile_worker.mjs")),
    ("peer_pg_boss.mjs", include_str!("../../scripts/peer_pg_boss.mjs")),
];

pub(super) const PGQUEUER: Entry = Entry {
    name: "pgqueuer",
    runs_in: RunsIn::Python { package: "pgqueuer", script: "peer_pgqueuer.py" },
    settings: "asyncpg and uvloop, batches of 1,000, which is also how many ends it writes at once",
    transactional: true,
    left: "pgqueuer",
    kept: "pgqueuer_log where status = 'successful'",
    one_in: 4,
};

pub(super) const PROCRASTINATE: Entry = Entry {
    name: "procrastinate",
    runs_in: RunsIn::Python { package: "procrastinate", script: "peer_procrastinate.py" },
    settings: "psycopg and uvloop, concurrency 20 and as many connections, since it claims and ends one job at a time; \
               ended jobs deleted",
    transactional: true,
    left: "procrastinate_jobs where status in ('todo', 'doing')",
    kept: "",
    one_in: 100,
};

pub(super) const GRAPHILE_WORKER: Entry = Entry {
    name: "graphile-worker-node",
    runs_in: RunsIn::Node { package: "graphile-worker", script: "peer_graphile_worker.mjs" },
    settings: "as its page on performance: 24 concurrent jobs, a pool of 25, a local queue of 500, ends batched with no \
               delay; enqueued by its SQL function `add_jobs`",
    transactional: true,
    left: "graphile_worker._private_jobs",
    kept: "",
    one_in: 1,
};

pub(super) const PG_BOSS: Entry = Entry {
    name: "pg-boss",
    runs_in: RunsIn::Node { package: "pg-boss", script: "peer_pg_boss.mjs" },
    settings: "2 local workers with batches of 1,000, so that one fetches while the other ends its batch; \
               `burstWhenBatchFull`, so that nothing waits for a poll; LISTEN/NOTIFY on",
    transactional: true,
    left: "pgboss.job where name = 'noop' and state < 'completed'",
    kept: "pgboss.job where name = 'noop' and state = 'completed'",
    one_in: 1,
};
