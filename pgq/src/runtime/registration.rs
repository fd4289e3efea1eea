//! How a worker introduces itself: who it is, what it can run, what its tasks declare.

use std::collections::BTreeSet;
use std::time::Duration;

use pgq_core::{Lease, Retry, literal};

use crate::Client;
use crate::backend::{Declaration, Registration, Want};
use crate::error::{Error, Result};
use crate::task::TaskEntry;

/// Every task (and earlier name of one) in every queue that is served.
pub(super) fn wants(tasks: &[TaskEntry], queues: Option<&[String]>, slots: usize) -> Result<Vec<Want>> {
    let queues: BTreeSet<&str> = match queues {
        Some(queues) => queues.iter().map(String::as_str).collect(),
        None => tasks.iter().map(|task| task.options.queue()).collect(),
    };
    let cap = u32::try_from(slots).unwrap_or(u32::MAX);
    let mut wants = Vec::new();
    for queue in queues {
        literal::name(queue).map_err(|error| Error::invalid("a queue's name isn't valid").because(error))?;
        for name in tasks.iter().flat_map(|task| task.aliases.iter().chain([&task.name])) {
            wants.push(Want { queue: queue.into(), task: (*name).into(), cap });
        }
    }
    Ok(wants)
}

pub(super) fn introduce(client: &Client, span: Duration, tasks: &[TaskEntry], wants: &[Want]) -> Registration {
    Registration {
        lease: Lease(client.platform().random_i64()),
        instance: client.platform().instance(),
        host: host(),
        pid: std::process::id(),
        span,
        wants: wants.to_vec(),
        tasks: tasks.iter().map(declare).collect(),
    }
}

/// The machine's name, for people; empty where nobody tells.
fn host() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
    read.map(|name| name.trim().to_owned()).unwrap_or_default()
}

/// Spans are published in microseconds.
fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

fn policy(retry: &Retry) -> serde_json::Value {
    match retry {
        Retry::Exponential { base, factor, max, jitter } => serde_json::json!({
            "policy": "exponential", "base": micros(*base), "factor": factor, "max": micros(*max), "jitter": jitter,
        }),
        Retry::Linear { step, max } => {
            serde_json::json!({ "policy": "linear", "step": micros(*step), "max": micros(*max) })
        }
        Retry::Fixed(delay) => serde_json::json!({ "policy": "fixed", "delay": micros(*delay) }),
        Retry::Delays(delays) => {
            let delays: Vec<u64> = delays.iter().copied().map(micros).collect();
            serde_json::json!({ "policy": "delays", "delays": delays })
        }
        _ => serde_json::Value::Null,
    }
}

fn declare(task: &TaskEntry) -> Declaration {
    let options = &task.options;
    Declaration {
        name: task.name.to_owned(),
        queue: options.queue().to_owned(),
        options: serde_json::json!({
            "priority": options.priority().get(),
            "attempts": options.attempts(),
            "retry": policy(options.retry()),
            "timeout": options.timeout().map(micros),
            "expires_in": options.expires_in().map(micros),
            "keep": {
                "completed": micros(options.keep().completed),
                "cancelled": micros(options.keep().cancelled),
                "discarded": micros(options.keep().discarded),
            },
        }),
        schema: (task.schema)(),
    }
}
