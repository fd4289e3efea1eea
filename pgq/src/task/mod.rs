//! Tasks: the code that jobs run, by its stable name.

mod blocking;
mod context;
mod declaration;
mod follow_ups;
mod handler;
mod layer;
mod limit;
mod names;
mod payload;
mod progress;
mod registry;
mod resources;
mod token;
mod transaction;

use std::future::Future;
use std::sync::Arc;

use pgq_core::TaskOptions;

pub(crate) use blocking::{Blocking, Place, Stint};
pub use context::Context;
pub(crate) use context::{Attempt, Own};
pub(crate) use declaration::KeyedLimit;
pub(crate) use follow_ups::FollowUps;
pub use handler::{
    HandlerError, TaskError, TaskResult, attempt, blocking_attempt, judged_attempt, judged_blocking_attempt,
};
pub use layer::{Layer, Next, layer};
pub(crate) use layer::{Layers, run_within};
pub use limit::{LimitValue, limit_key, rate};
pub use names::{Listed, Nameless, Names, distinct};
pub use payload::{Described, Payload, schema_of};
pub(crate) use payload::{decode, encode, to_json};
pub(crate) use progress::Gauge;
pub(crate) use registry::BoundTask;
pub use registry::{Run, TaskEntry, Tasks};
pub use resources::{Env, Provide, Provider, Provision, Resources};
pub(crate) use token::Token;
pub(crate) use transaction::Kept;
pub use transaction::{begin, leave};

/// A task, as `#[pgq::task]` implements it for the type that it puts beside the function.
///
/// Write the attribute rather than this trait: the attribute keeps its promises in step with what the version of the
/// crate asks for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no task",
    label = "expected the name of a function with `#[pgq::task]`"
)]
pub trait Task: Sized + Send + Sync + 'static {
    /// What a job of it carries.
    type Args: Payload + 'static;
    /// What its function gives back.
    type Output: Payload + Send + 'static;
    /// What its function asks for: the `R` of its [`Context<R>`](Context), `()` where it has none.
    type Resources: 'static;

    /// The canonical name: what jobs, limits and uniqueness go by.
    const NAME: &'static str;
    /// Earlier names, whose queued jobs it runs too.
    const ALIASES: &'static [&'static str];
    /// What its attribute declares.
    const OPTIONS: TaskOptions;
    /// Where it was declared.
    const LOCATION: Location;
    /// Whether its function blocks: a plain `fn`.
    const BLOCKING: bool = false;

    /// The JSON Schema (draft 2020-12) of its arguments; `None` with `schema = none`.
    fn schema() -> Option<serde_json::Value>;

    /// What runs around every attempt of it, the outermost first, within the layers of the worker.
    #[must_use]
    fn layers() -> Vec<Arc<dyn Layer<Self::Resources>>> {
        Vec::new()
    }

    /// What a function of the task's makes of the arguments, as the limit key of the limit at `position`; `None` where that has
    /// another key or none.
    #[must_use]
    fn limit_key(position: usize, args: &Self::Args) -> Option<String> {
        let _ = (position, args);
        None
    }

    /// Runs the function.
    fn run(
        context: Context<Self::Resources>,
        args: Self::Args,
    ) -> impl Future<Output = Result<Self::Output, HandlerError>> + Send;
}

/// Where a task was declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// The name of its crate.
    pub krate: &'static str,
    /// The file, as the compiler names it.
    pub file: &'static str,
    /// The line, from 1.
    pub line: u32,
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}
