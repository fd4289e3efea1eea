//! Peers in other languages: what they do is in `scripts`.

use crate::peer::{Entry, RunsIn};

/// The scripts themselves, by their names.
pub(crate) const PYTHON: [(&str, &str); 1] = [("peer_pgqueuer.py", include_str!("../../scripts/peer_pgqueuer.py"))];
pub(crate) const NODE: [(&str, &str); 0] = [];

pub(super) const PGQUEUER: Entry = Entry {
    name: "pgqueuer",
    runs_in: RunsIn::Python { package: "pgqueuer", script: "peer_pgqueuer.py" },
    settings: "asyncpg and uvloop, batches of 1,000, which is also how many ends it writes at once",
    transactional: true,
    left: "pgqueuer",
    kept: "pgqueuer_log where status = 'successful'",
    one_in: 4,
};
