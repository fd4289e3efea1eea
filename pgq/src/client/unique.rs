//! A job's unique key: its own, or what its task makes of the arguments.

use std::time::Duration;

use pgq_core::unique::MAX_UNIQUE_KEY;
use pgq_core::{OnConflict, Unique, UniqueKey};
use serde_json::Value;

use crate::backend::Declaration;
use crate::error::{Error, Result};
use crate::task::Task;

/// What the task declares, and what was said of this job over it.
#[derive(Debug, Default)]
pub(super) struct Wish {
    pub(super) key: Option<String>,
    pub(super) on_conflict: Option<OnConflict>,
    pub(super) window: Option<Duration>,
    declared: Option<Declared>,
}

/// What the task declares, for this job's arguments.
#[derive(Debug)]
struct Declared {
    key: Result<String>,
    on_conflict: OnConflict,
    window: Duration,
}

impl Wish {
    /// `args` as JSON, where the task makes its key of their fields.
    pub(super) fn of_task<T: Task>(args: &Value) -> Self {
        let declared = T::OPTIONS.unique().map(|unique| Declared {
            key: match unique.key {
                UniqueKey::Same(key) => Ok(key.to_owned()),
                UniqueKey::Fields(fields) => of_fields(args, fields),
            },
            on_conflict: unique.on_conflict,
            window: unique.window,
        });
        Self { declared, ..Self::default() }
    }

    pub(super) fn of_declaration(task: &Declaration, args: &Value) -> Self {
        let fields = task.unique_fields();
        let key = match task.unique_key() {
            Some(key) => Ok(key.to_owned()),
            None if fields.is_empty() => return Self::default(),
            None => of_fields(args, &fields),
        };
        let declared = Declared { key, on_conflict: task.on_conflict(), window: task.window() };
        Self { declared: Some(declared), ..Self::default() }
    }

    /// Only what was said of this job.
    pub(super) fn own(self) -> Self {
        Self { declared: None, ..self }
    }

    /// The key and what goes with it; `None` where nobody names one.
    pub(super) fn fulfilled(self) -> Result<Option<Unique>> {
        let Self { key, on_conflict, window, declared } = self;
        let (default_key, default_on_conflict, default_window) = match declared {
            Some(Declared { key, on_conflict, window }) => (Some(key), on_conflict, window),
            None => (None, OnConflict::default(), Duration::ZERO),
        };
        let key = match (key, default_key) {
            (Some(key), _) => key,
            (None, Some(key)) => key?,
            (None, None) if on_conflict.is_none() && window.is_none() => return Ok(None),
            (None, None) => {
                let message = "expected a unique key, `.unique(\"…\")`, beside `on_conflict` or `unique_for`";
                return Err(Error::invalid(message));
            }
        };
        if key.is_empty() || key.len() > MAX_UNIQUE_KEY || key.contains('\0') {
            let message =
                format!("expected a unique key of 1 to {MAX_UNIQUE_KEY} bytes without NUL, got {}", key.len());
            return Err(Error::invalid(message));
        }
        let on_conflict = on_conflict.unwrap_or(default_on_conflict);
        Ok(Some(Unique { key, on_conflict, window: window.unwrap_or(default_window) }))
    }
}

/// The values of these fields as a JSON list, which tells `1` from `"1"` and where one ends.
fn of_fields(args: &Value, fields: &[&str]) -> Result<String> {
    let Value::Object(arguments) = args else {
        return Err(Error::invalid("expected arguments with named fields for their unique key"));
    };
    let values: Result<Vec<Value>> = fields
        .iter()
        .map(|field| {
            let there_is = || arguments.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let missing =
                || Error::invalid(format!("expected an argument `{field}` for the unique key, got {}", there_is()));
            arguments.get(*field).cloned().ok_or_else(missing)
        })
        .collect();
    Ok(Value::Array(values?).to_string())
}
