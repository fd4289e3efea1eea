//! A job's unique key: its own, or what its task makes of the arguments.

use std::time::Duration;

use pgq_core::unique::MAX_UNIQUE_KEY;
use pgq_core::{OnConflict, Unique, UniqueKey};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::task::Task;

/// What the task declares, and what was said of this job over it; `None` where neither names a key.
pub(super) fn of<T: Task>(
    payload: &[u8],
    key: Option<String>,
    on_conflict: Option<OnConflict>,
    window: Option<Duration>,
) -> Result<Option<Unique>> {
    let declared = T::OPTIONS.unique();
    let key = match (key, declared.map(|declared| declared.key)) {
        (Some(key), _) => key,
        (None, Some(UniqueKey::Same(key))) => key.to_owned(),
        (None, Some(UniqueKey::Fields(fields))) => of_fields(payload, fields)?,
        (None, None) if on_conflict.is_none() && window.is_none() => return Ok(None),
        (None, None) => {
            let message = "expected a unique key, `.unique(\"…\")`, beside `on_conflict` or `unique_for`";
            return Err(Error::invalid(message));
        }
    };
    if key.is_empty() || key.len() > MAX_UNIQUE_KEY || key.contains('\0') {
        let message = format!("expected a unique key of 1 to {MAX_UNIQUE_KEY} bytes without NUL, got {}", key.len());
        return Err(Error::invalid(message));
    }
    let on_conflict = on_conflict.or(declared.map(|declared| declared.on_conflict)).unwrap_or_default();
    let window = window.or(declared.map(|declared| declared.window)).unwrap_or_default();
    Ok(Some(Unique { key, on_conflict, window }))
}

/// The values of these fields as a JSON list, which tells `1` from `"1"` and where one ends.
fn of_fields(payload: &[u8], fields: &[&str]) -> Result<String> {
    let arguments = rmp_serde::from_slice(payload)
        .map_err(|error| Error::invalid("expected arguments with named fields for their unique key").because(error))?;
    let Value::Object(arguments) = arguments else {
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
