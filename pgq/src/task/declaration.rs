//! What workers publish of a task, and how that is read by whoever doesn't have its type.

use std::time::Duration;

use pgq_core::{Limit, LimitKey, OnConflict, Priority, Rate, Retry, TaskOptions, UniqueBy, UniqueKey};
use serde_json::{Value, json};

use super::TaskEntry;
use crate::backend::Declaration;

impl TaskEntry {
    /// What is published of it.
    pub(crate) fn declare(&self) -> Declaration {
        let options = &self.options;
        Declaration {
            name: self.name.to_owned(),
            queue: options.queue().to_owned(),
            options: json!({
                "aliases": self.aliases,
                "priority": options.priority().get(),
                "attempts": options.attempts(),
                "retry": policy(options.retry()),
                "timeout": options.timeout().map(micros),
                "expires_in": options.expires_in().map(micros),
                "unique": options.unique().map(unique),
                "concurrency": options.own_limit().concurrency,
                "rate": options.own_limit().rate.map(rate),
                "per_worker": options.per_worker(),
                "limits": options.limits().iter().map(|declared| limit(self.name, declared)).collect::<Vec<_>>(),
                "keep": {
                    "completed": micros(options.keep().completed),
                    "cancelled": micros(options.keep().cancelled),
                    "discarded": micros(options.keep().discarded),
                },
            }),
            schema: (self.schema)(),
        }
    }
}

/// Spans are published in microseconds.
fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

fn policy(retry: &Retry) -> Value {
    match retry {
        Retry::Exponential { base, factor, max, jitter } => json!({
            "policy": "exponential", "base": micros(*base), "factor": factor, "max": micros(*max), "jitter": jitter,
        }),
        Retry::Linear { step, max } => json!({ "policy": "linear", "step": micros(*step), "max": micros(*max) }),
        Retry::Fixed(delay) => json!({ "policy": "fixed", "delay": micros(*delay) }),
        Retry::Delays(delays) => {
            let delays: Vec<u64> = delays.iter().copied().map(micros).collect();
            json!({ "policy": "delays", "delays": delays })
        }
        _ => Value::Null,
    }
}

fn unique(unique: &UniqueBy) -> Value {
    let (key, fields) = match unique.key {
        UniqueKey::Same(key) => (Some(key), None),
        UniqueKey::Fields(fields) => (None, Some(fields)),
    };
    json!({
        "key": key, "fields": fields, "on_conflict": unique.on_conflict.as_str(), "window": micros(unique.window),
    })
}

/// The time between two starts is published in nanoseconds: it may be shorter than the next microsecond.
fn rate(rate: Rate) -> Value {
    json!({ "interval": u64::try_from(rate.interval().as_nanos()).unwrap_or(u64::MAX), "burst": rate.burst() })
}

fn limit(task: &str, limit: &Limit) -> Value {
    let (field, function) = match limit.key {
        Some(LimitKey::Field(field)) => (Some(field), None),
        Some(LimitKey::Function(function)) => (None, Some(function)),
        None => (None, None),
    };
    json!({
        "name": limit.full_name(task), "field": field, "function": function, "concurrency": limit.concurrency,
        "rate": limit.rate.map(rate),
    })
}

/// A limit with a key, as it was published.
pub(crate) struct KeyedLimit<'d> {
    /// Its name over the fleet.
    pub(crate) name: &'d str,
    /// The field that keys it; a function does where there is none.
    pub(crate) field: Option<&'d str>,
}

impl<'d> KeyedLimit<'d> {
    fn read(limit: &'d Value) -> Option<Self> {
        let text = |what| limit.get(what).and_then(Value::as_str);
        let (name, field) = (text("name")?, text("field"));
        (field.is_some() || text("function").is_some()).then_some(Self { name, field })
    }
}

/// A task's options, as somebody reads them who doesn't have its type. What isn't published, because an older version of
/// this crate declared the task, is as if the task hadn't said it.
impl Declaration {
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.name == name || self.aliases().any(|alias| alias == name)
    }

    pub(crate) fn aliases(&self) -> impl Iterator<Item = &str> {
        self.list("/aliases")
    }

    pub(crate) fn priority(&self) -> Priority {
        let priority = self.options.get("priority").and_then(Value::as_i64).and_then(|number| number.try_into().ok());
        priority.and_then(Priority::new).unwrap_or_default()
    }

    pub(crate) fn attempts(&self) -> u16 {
        let attempts = self.options.get("attempts").and_then(Value::as_u64).and_then(|number| number.try_into().ok());
        attempts.unwrap_or(TaskOptions::DEFAULT.attempts())
    }

    pub(crate) fn expires_in(&self) -> Option<Duration> {
        self.span("/expires_in")
    }

    /// For how long jobs of it are kept that have ended so: the pointer's last word is the state's.
    pub(crate) fn keep(&self, state: pgq_core::State) -> Option<Duration> {
        self.span(&format!("/keep/{state}"))
    }

    /// The one unique key of its jobs.
    pub(crate) fn unique_key(&self) -> Option<&str> {
        self.options.pointer("/unique/key").and_then(Value::as_str)
    }

    /// The fields that the unique key of a job is made of; empty where it isn't.
    pub(crate) fn unique_fields(&self) -> Vec<&str> {
        self.list("/unique/fields").collect()
    }

    pub(crate) fn on_conflict(&self) -> OnConflict {
        let word = self.options.pointer("/unique/on_conflict").and_then(Value::as_str);
        word.and_then(OnConflict::from_word).unwrap_or_default()
    }

    pub(crate) fn window(&self) -> Duration {
        self.span("/unique/window").unwrap_or_default()
    }

    pub(crate) fn keyed_limits(&self) -> impl Iterator<Item = KeyedLimit<'_>> {
        let limits = self.options.get("limits").and_then(Value::as_array);
        limits.into_iter().flatten().filter_map(KeyedLimit::read)
    }

    /// The limits without a key that it names, by their full names.
    pub(crate) fn unkeyed_limits(&self) -> impl Iterator<Item = &str> {
        let limits = self.options.get("limits").and_then(Value::as_array).into_iter().flatten();
        limits.filter(|limit| KeyedLimit::read(limit).is_none()).filter_map(|limit| limit.get("name")?.as_str())
    }

    fn list(&self, pointer: &str) -> impl Iterator<Item = &str> {
        self.options.pointer(pointer).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    fn span(&self, pointer: &str) -> Option<Duration> {
        self.options.pointer(pointer).and_then(Value::as_u64).map(Duration::from_micros)
    }
}
