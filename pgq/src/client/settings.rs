//! What holds for the whole process: the namespace of bare connections, and the largest payload.

use std::env;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::backend::postgres::Namespace;
use crate::error::{Error, Result};

/// 1 MiB: what is larger belongs into a table or a bucket of its own, with its key in the job.
const MAX_PAYLOAD: usize = 1 << 20;

/// The settings of a client, or of the process.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) namespace: Namespace,
    pub(crate) max_payload: usize,
    pub(crate) poll_only: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { namespace: Namespace::default(), max_payload: MAX_PAYLOAD, poll_only: false }
    }
}

static PROCESS: OnceLock<Settings> = OnceLock::new();
/// Apart from the rest, as it is said apart from the namespace.
static POLL_ONLY: AtomicBool = AtomicBool::new(false);

impl Settings {
    /// The process's: read once, from `PGQ_SCHEMA`, `PGQ_PREFIX`, `PGQ_MAX_PAYLOAD` and `PGQ_POLL_ONLY`, unless
    /// [`set_namespace`] came before.
    pub(crate) fn of_process() -> Result<&'static Self> {
        match PROCESS.get() {
            Some(settings) => Ok(settings),
            None => Self::from_env().map(|settings| PROCESS.get_or_init(|| settings)),
        }
    }

    /// Whether connections may lead to a pooler.
    pub(crate) fn is_poll_only(&self) -> bool {
        self.poll_only || POLL_ONLY.load(Ordering::SeqCst)
    }

    fn from_env() -> Result<Self> {
        let schema = variable("PGQ_SCHEMA")?.unwrap_or_else(|| Namespace::default().schema().to_owned());
        let prefix = variable("PGQ_PREFIX")?.unwrap_or_default();
        let namespace = Namespace::new(&schema, &prefix)
            .map_err(|error| Error::invalid(format!("PGQ_SCHEMA, PGQ_PREFIX: {error}")))?;
        Self::with_namespace(namespace)
    }

    fn with_namespace(namespace: Namespace) -> Result<Self> {
        let max_payload = match variable("PGQ_MAX_PAYLOAD")? {
            None => MAX_PAYLOAD,
            Some(text) => text
                .parse()
                .map_err(|_| Error::invalid(format!("PGQ_MAX_PAYLOAD: expected a number of bytes, got {text:?}")))?,
        };
        Ok(Self { namespace, max_payload, poll_only: switch("PGQ_POLL_ONLY", variable("PGQ_POLL_ONLY")?.as_deref())? })
    }
}

/// An environment variable; an empty one counts as none.
pub(crate) fn variable(name: &str) -> Result<Option<String>> {
    match env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(Error::invalid(format!("{name}: expected UTF-8"))),
    }
}

/// An environment variable that is `1` or `true`, or else `0`, `false` or none.
pub(crate) fn switch(name: &str, text: Option<&str>) -> Result<bool> {
    match text {
        None | Some("0" | "false") => Ok(false),
        Some("1" | "true") => Ok(true),
        Some(text) => Err(Error::invalid(format!("{name}: expected `1`, `true`, `0` or `false`, got {text:?}"))),
    }
}

/// Says that connections of this process may lead to a pooler in transaction mode, such as PgBouncer, instead of to the server
/// itself, as `PGQ_POLL_ONLY=1` in its environment does: every client is then as with
/// [`ClientBuilder::poll_only`](crate::ClientBuilder::poll_only), and so is enqueueing on bare connections, transactions and
/// pools, which know of no client. Call it first thing in `main`: it holds for the life of the process.
pub fn set_poll_only() {
    POLL_ONLY.store(true, Ordering::SeqCst);
}

/// Sets the namespace that bare connections and pools use as targets, instead of `PGQ_SCHEMA` and `PGQ_PREFIX`. Call it
/// first thing in `main`: it holds for the life of the process.
///
/// # Errors
/// The schema or prefix isn't 1 to 32 of a-z, 0-9 and `_`, or another namespace is in use already.
pub fn set_namespace(schema: &str, prefix: &str) -> Result<()> {
    let namespace = Namespace::new(schema, prefix)?;
    let wanted = Settings::with_namespace(namespace.clone())?;
    let settings = PROCESS.get_or_init(|| wanted);
    if settings.namespace == namespace {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the process uses the {} already: set the namespace before anything else",
        settings.namespace
    )))
}
