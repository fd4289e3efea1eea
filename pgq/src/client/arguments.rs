//! What becomes of a job's arguments: its payload, and the keys that are made of them.

use std::borrow::Cow;

use pgq_core::limit::gate_name;
use pgq_core::{Codec, Limit, LimitKey, TaskOptions, UniqueBy, UniqueKey};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::task::{Payload, Task, encode};

pub(super) struct Arguments {
    pub(super) codec: Codec,
    pub(super) payload: Vec<u8>,
    /// The gates of the task's limits with a key.
    pub(super) limit_keys: Vec<String>,
    /// As JSON, where a key is made of their fields.
    pub(super) shown: Value,
}

impl Arguments {
    pub(super) fn of_task<T: Task>(args: &T::Args) -> Result<Self> {
        let payload = encode(args)?;
        let shown = if reads_fields(&T::OPTIONS) { args.to_json()? } else { Value::Null };
        let limit_keys = limit_keys::<T>(args, &shown)?;
        Ok(Self { codec: Codec::MessagePack, payload, limit_keys, shown })
    }
}

fn reads_fields(options: &TaskOptions) -> bool {
    let unique = matches!(options.unique(), Some(UniqueBy { key: UniqueKey::Fields(_), .. }));
    unique || options.limits().iter().any(|limit| matches!(limit.key, Some(LimitKey::Field(_))))
}

fn limit_keys<T: Task>(args: &T::Args, shown: &Value) -> Result<Vec<String>> {
    let key = |(position, limit): (usize, &Limit)| {
        let value = match limit.key? {
            LimitKey::Field(field) => of_field(shown, field),
            LimitKey::Function(name) => T::limit_key(position, args).map(Cow::Owned).ok_or_else(|| unknown(name)),
        };
        Some(value.map(|value| gate_name(&limit.full_name(T::NAME), &value)))
    };
    T::OPTIONS.limits().iter().enumerate().filter_map(key).collect()
}

/// The value of a field as a limit key: a string as it is, all else as JSON. What isn't there is `null`, as serde may leave
/// out what is none.
pub(super) fn of_field<'v>(args: &'v Value, field: &str) -> Result<Cow<'v, str>> {
    let Value::Object(fields) = args else {
        return Err(Error::invalid(format!("expected arguments with named fields for the limit key `{field}`")));
    };
    Ok(match fields.get(field) {
        Some(Value::String(text)) => Cow::Borrowed(text),
        Some(value) => Cow::Owned(value.to_string()),
        None => Cow::Borrowed("null"),
    })
}

fn unknown(function: &str) -> Error {
    Error::invalid(format!("expected a task that makes the limit key `{function}` of its arguments"))
}
