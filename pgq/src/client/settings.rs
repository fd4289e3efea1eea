//! What holds for the whole process: the namespace of bare connections, and the largest payload.

use std::env;
use std::sync::OnceLock;

use crate::backend::postgres::Namespace;
use crate::error::{Error, Result};

/// 1 MiB: what is larger belongs into a table or a bucket of its own, with its key in the job.
const MAX_PAYLOAD: usize = 1 << 20;

/// The settings of a client, or of the process.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) namespace: Namespace,
    pub(crate) max_payload: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { namespace: Namespace::default(), max_payload: MAX_PAYLOAD }
    }
}

static PROCESS: OnceLock<Settings> = OnceLock::new();

impl Settings {
    /// The process's: read once, from `PGQ_SCHEMA`, `PGQ_PREFIX` and `PGQ_MAX_PAYLOAD`, unless [`set_namespace`] came
    /// before.
    pub(crate) fn of_process() -> Result<&'static Self> {
        match PROCESS.get() {
            Some(settings) => Ok(settings),
            None => Self::from_env().map(|settings| PROCESS.get_or_init(|| settings)),
        }
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
        Ok(Self { namespace, max_payload })
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
