//! How each statement may get at rows of what grows.

/// How a statement may get at rows, and nothing else may stand in its plan.
pub(super) struct Expected {
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
    pub(super) scans: &'static [&'static str],
    /// Those of them that may walk all there is.
    pub(super) whole: &'static [&'static str],
}

macro_rules! expected {
    ($name:literal, $($scan:literal),+ $(; $($whole:literal),+)?) => {
        Expected {
            name: $name,
            sql: include_str!(concat!("../queries/", $name, ".sql")),
            scans: &[$($scan),+],
            whole: &[$($($whole),+)?],
        }
    };
}

/// On the engine's connections.
pub(super) const ENGINE: &[Expected] = &[
    expected!("claim", "Index Scan using job_ready", "Tid Scan"),
    expected!("finish", "Index Scan using job_pkey", "Tid Scan", "Index Scan using failure_job"),
    expected!(
        "put_back",
        "Index Scan using job_pkey",
        "Tid Scan",
        "Index Scan using failure_job",
        "Index Scan Backward using failure_job"
    ),
    expected!("advance", "Index Scan using job_pkey", "Tid Scan"),
    expected!("look", "Index Scan using job_pkey"),
    expected!("lock_gates", "Index Scan using gate_pkey"),
    expected!(
        "enter",
        "Index Scan using gate_pkey",
        "Index Scan using limit_pkey",
        "Index Only Scan using pass_pkey",
        "Index Scan using pass_pkey",
        "Index Only Scan using job_parked",
        "Index Scan using job_gated",
        "Index Only Scan using job_gated"
    ),
    expected!(
        "gates",
        "Index Scan using gate_pkey",
        "Index Scan using limit_pkey",
        "Index Only Scan using pass_pkey",
        "Index Scan using pass_pkey",
        "Index Only Scan using job_parked",
        "Index Scan using job_gated",
        "Index Only Scan using job_gated"
    ),
    expected!("park", "Index Scan using job_gated", "Tid Scan"),
    expected!(
        "waited_gates",
        "Index Only Scan using job_parked",
        "Index Scan using gate_pkey",
        "Index Scan using limit_pkey"
    ),
    expected!("pass", "Index Scan using gate_pkey", "Index Scan using job_pkey", "Tid Scan"),
    expected!("leave", "Index Scan using pass_pkey", "Tid Scan"),
    expected!("unpark", "Index Scan using gate_pkey", "Index Scan using job_parked", "Tid Scan"),
    expected!("due_gates", "Index Scan using gate_opens", "Index Only Scan using gate_opens"),
    expected!("pools", "Index Only Scan using gate_bounded"),
    expected!(
        "far_gates",
        "Index Scan using gate_opens",
        "Index Scan using limit_pkey",
        "Index Only Scan using pass_pkey",
        "Index Scan using pass_pkey",
        "Tid Scan"
    ),
    expected!(
        "idle_gates",
        "Index Scan using gate_idle",
        "Index Only Scan using pass_pkey",
        "Index Scan using pass_pkey"
    ),
    expected!(
        "prune_gates",
        "Index Scan using pass_pkey",
        "Index Scan using gate_pkey",
        "Index Only Scan using pass_pkey",
        "Index Only Scan using job_parked",
        "Tid Scan"
    ),
    expected!("expire", "Index Scan using job_expires", "Index Scan using task_pkey", "Tid Scan"),
    expected!("expirable", "Index Scan using job_expires"),
    expected!("promotable", "Index Only Scan using job_deferred"),
    expected!("prunable", "Index Scan using history_default_expires_idx", "Index Scan using job_tombstone"),
    expected!(
        "promote",
        "Index Scan using job_deferred",
        "Index Only Scan using job_deferred",
        "Index Only Scan using gate_opens",
        "Tid Scan"
    ),
    expected!(
        "renew",
        "Index Scan using job_ready",
        "Index Scan using job_pkey",
        "Index Only Scan using job_deferred",
        "Index Only Scan using gate_opens"
    ),
    expected!(
        "prune",
        "Index Scan using history_default_expires_idx",
        "Index Scan using job_tombstone",
        "Index Scan using failure_job",
        "Tid Scan"
    ),
    expected!("forgotten", "Index Scan using job_pkey"),
    expected!("untold", "Index Scan using job_pkey"),
    expected!("lock_free_gates", "Index Scan using gate_pkey"),
    expected!("recount_gates", "Index Scan using gate_pkey", "Tid Scan"),
    expected!("open_limits", "Index Only Scan using job_parked", "Index Scan using gate_pkey"),
    // What an operator has set, of which there is little.
    expected!("declare_limits", "Index Only Scan using gate_overridden"; "Index Only Scan using gate_overridden"),
    // As many as there are running attempts that have passed a gate.
    expected!("beats", "Index Only Scan using pass_pkey", "Index Scan using job_pkey"; "Index Only Scan using pass_pkey"),
    expected!(
        "leave_lost",
        "Index Scan using job_pkey",
        "Seq Scan",
        "Tid Scan";
        "Seq Scan"
    ),
    // Of a worker that is to end when nothing is left: who waits is in no order of tasks.
    expected!(
        "unfinished",
        "Index Only Scan using job_ready",
        "Index Scan using job_parked",
        "Index Scan using job_deferred";
        "Index Scan using job_parked",
        "Index Scan using job_deferred"
    ),
    // Leases stand in no index: one walk through all jobs.
    expected!(
        "free",
        "Seq Scan",
        "Tid Scan",
        "Index Only Scan using pass_pkey",
        "Index Scan using failure_job",
        "Index Scan Backward using failure_job";
        "Seq Scan"
    ),
    expected!("freeable", "Seq Scan", "Parallel Seq Scan"; "Seq Scan", "Parallel Seq Scan"),
    expected!("mark_freed", "Seq Scan"; "Seq Scan"),
    expected!("sweep", "Seq Scan"; "Seq Scan"),
    expected!("release", "Seq Scan", "Tid Scan"; "Seq Scan"),
];

/// On the client's, where an index's answer may also be sorted first.
pub(super) const OPERATOR: &[Expected] = &[
    expected!(
        "cancel",
        "Index Scan using job_pkey",
        "Index Scan using history_default_id_idx",
        "Index Scan using failure_job",
        "Bitmap Heap Scan",
        "Tid Scan"
    ),
    expected!("retry", "Index Scan using job_pkey", "Index Scan using history_default_id_idx", "Bitmap Heap Scan"),
    expected!(
        "delete",
        "Index Scan using job_pkey",
        "Index Scan using history_default_id_idx",
        "Index Scan using failure_job",
        "Bitmap Heap Scan",
        "Tid Scan"
    ),
    expected!("agenda", "Index Scan using job_pkey"),
    expected!("trigger", "Index Scan using job_pkey"),
    expected!("free_keys", "Index Scan using job_pkey", "Bitmap Heap Scan", "Tid Scan"),
    expected!("get", "Index Scan using job_pkey", "Index Scan using history_default_id_idx", "Bitmap Heap Scan"),
    expected!(
        "whereabouts",
        "Index Scan using job_pkey",
        "Index Scan using history_default_id_idx",
        "Bitmap Heap Scan"
    ),
    expected!("running", "Index Scan using job_ready", "Index Only Scan using job_ready"),
    expected!("failures", "Index Scan using failure_job", "Index Scan Backward using failure_job", "Bitmap Heap Scan"),
    expected!("holder", "Index Scan using job_unique", "Bitmap Heap Scan"),
    // The due ones of tombstones are pruned: where the planner knows that there are few it may walk these.
    expected!("clear_key", "Index Scan using job_pkey", "Index Scan using job_tombstone"),
    expected!("replace", "Index Scan using job_pkey", "Tid Scan"),
    expected!("raise", "Index Scan using job_pkey", "Tid Scan"),
    expected!(
        "edit",
        "Index Scan using job_pkey",
        "Index Scan using history_default_id_idx",
        "Bitmap Heap Scan",
        "Tid Scan"
    ),
    expected!("gate_jobs", "Index Only Scan using pass_pkey", "Bitmap Heap Scan"),
    expected!("clear_gate", "Index Scan using gate_pkey", "Index Scan using gate_overridden"),
    expected!("drop_limit", "Index Only Scan using gate_overridden", "Bitmap Heap Scan"),
    expected!("limit_values", "Index Scan using gate_overridden", "Bitmap Heap Scan"),
    expected!("open_missed", "Index Only Scan using job_parked", "Index Scan using gate_pkey", "Bitmap Heap Scan"),
    // Counted are 10,000 at most, of which one scan or the other begins.
    expected!(
        "limits",
        "Index Only Scan using pass_pkey",
        "Index Scan using gate_opens",
        "Seq Scan",
        "Bitmap Heap Scan";
        "Index Scan using gate_opens",
        "Seq Scan"
    ),
];

/// Which have a test of their own.
pub(super) const APART: &[&str] = &["find"];
