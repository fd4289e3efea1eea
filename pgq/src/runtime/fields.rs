//! Limit keys of fields that arguments don't have, as far as their schema tells: the macro doesn't know the fields of a type.

use pgq_core::suggest::nearest;
use pgq_core::{Limit, LimitKey};
use serde_json::Value;

use crate::backend::shown;
use crate::task::TaskEntry;

/// Words of a schema by which there may be more fields than it names.
const OPEN: [&str; 9] = [
    "$ref",
    "$dynamicRef",
    "allOf",
    "anyOf",
    "oneOf",
    "if",
    "patternProperties",
    "propertyNames",
    "unevaluatedProperties",
];

/// What to say of limit keys that are the same for all jobs, as their field isn't there.
pub(super) fn keys_without_fields(program: &[TaskEntry]) -> Vec<String> {
    program.iter().flat_map(doubts).collect()
}

fn doubts(task: &TaskEntry) -> Vec<String> {
    let keys: Vec<(&Limit, &str)> = task.options.limits().iter().filter_map(of_field).collect();
    // It costs more than all else here.
    let schema = if keys.is_empty() { None } else { (task.schema)() };
    let Some(fields) = schema.as_ref().and_then(fields) else { return Vec::new() };
    let missing = keys.into_iter().filter(|(_, field)| !fields.contains(field));
    missing.map(|(limit, field)| doubt(task, shown(&limit.full_name(task.name)), field, &fields)).collect()
}

fn of_field(limit: &Limit) -> Option<(&Limit, &str)> {
    match limit.key {
        Some(LimitKey::Field(field)) => Some((limit, field)),
        _ => None,
    }
}

/// All fields that arguments may have; `None` where that can't be told.
fn fields(schema: &Value) -> Option<Vec<&str>> {
    let open = OPEN.iter().any(|word| schema.get(word).is_some());
    let more = schema.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false));
    let named = schema.get("properties")?.as_object()?;
    (!open && !more).then(|| named.keys().map(String::as_str).collect())
}

fn doubt(task: &TaskEntry, limit: &str, field: &str, fields: &[&str]) -> String {
    let meant = nearest(field, fields).map(|meant| format!(", did you mean `{meant}`?")).unwrap_or_default();
    let at = task.location;
    format!(
        "the arguments of `{}` ({at}) have no field `{field}`{meant}: the limit `{limit}` counts all of its jobs together",
        task.name
    )
}
