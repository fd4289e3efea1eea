//! Tasks by their name, for code that doesn't have their types.

use std::borrow::Cow;
use std::fmt;

use pgq_core::Codec;
use pgq_core::limit::gate_name;
use pgq_core::suggest::nearest;
use serde::Serialize;
use serde_json::Value;

use super::arguments::{Arguments, of_field};
use super::{AnyTask, Client, Enqueue, JobBuilder, Target};
use crate::backend::{Declaration, shown};
use crate::error::{Error, Kind, Result};
use crate::task::{KeyedLimit, TaskEntry};

/// A task as its workers have declared it, for code that doesn't have its type: a gateway, a script, another service.
/// [`Client::task`] looks one up; keep it, and enqueue as many jobs of it as you like.
///
/// ```
/// # use std::time::Duration;
/// # #[pgq::task(queue = "mail")]
/// # async fn send_welcome(user: u64, email: String) -> Result<(), pgq::BoxError> { let _ = (user, email); Ok(()) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> pgq::Result<()> {
/// # let client = pgq::Client::memory();
/// let send_welcome = client.task("send_welcome").await?;
/// let args = serde_json::json!({ "user": 7, "email": "kim@example.org" });
/// send_welcome.enqueue(&client, &args).await?;
/// send_welcome.job(&args).priority(10).delay(Duration::from_secs(60)).enqueue(&client).await?;
/// # let mut worker = pgq::testing::stepper(&client, pgq::tasks![send_welcome], ()).await?;
/// # assert_eq!(worker.drain().await?, 1);
/// # Ok(()) }
/// ```
///
/// What the task declares holds as for its own `enqueue`: queue, priority, attempts, deadline, unique key, limits. Arguments are
/// given as JSON, in the shape of the task's [`schema`](DeclaredTask::schema). With the feature `schema-check` they are
/// checked against it before anything is enqueued; without it, or where the task has no schema, arguments that the worker
/// can't read are discarded by it, with the reason. Keys of fields are made of their values as they are given: write
/// them as the task would, `1.0` for a float and defaults too. A program that has the task itself does that for you, and
/// only there can jobs be enqueued whose limit is keyed by a function.
#[derive(Clone)]
pub struct DeclaredTask {
    declaration: Declaration,
    /// Where this program has the task itself.
    own: Option<&'static TaskEntry>,
    #[cfg(feature = "schema-check")]
    validator: Option<std::sync::Arc<jsonschema::Validator>>,
}

impl DeclaredTask {
    #[cfg(not(feature = "schema-check"))]
    fn new(declaration: Declaration) -> Self {
        Self { own: linked(&declaration.name), declaration }
    }

    /// The canonical name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.declaration.name
    }

    /// The lane that its jobs wait in.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.declaration.queue
    }

    /// The JSON Schema (draft 2020-12) of its arguments, unless it has none.
    #[must_use]
    pub fn schema(&self) -> Option<&Value> {
        self.declaration.schema.as_ref()
    }

    /// A job in the making. What is wrong with the arguments is told when it is enqueued.
    pub fn job(&self, args: impl Serialize) -> JobBuilder<AnyTask> {
        JobBuilder::declared(&self.declaration, self.arguments(args))
    }

    /// Enqueues a job.
    pub fn enqueue<'t>(&self, target: impl Target<'t>, args: impl Serialize) -> Enqueue<'t, AnyTask> {
        self.job(args).enqueue(target)
    }

    /// What a job of it carries, if the arguments fit.
    pub(super) fn arguments(&self, args: impl Serialize) -> Result<Arguments> {
        let shown = self.checked(args)?;
        let limit_keys = self.declaration.keyed_limits().map(|limit| self.limit_key(&limit, &shown));
        let (limit_keys, payload) = (limit_keys.collect::<Result<_>>()?, shown.to_string().into_bytes());
        Ok(Arguments { codec: Codec::Json, payload, limit_keys, shown })
    }

    fn limit_key(&self, limit: &KeyedLimit<'_>, args: &Value) -> Result<String> {
        let value = match (limit.field, self.own) {
            (Some(field), _) => Some(of_field(args, field)?),
            (None, Some(own)) => (own.limit_key)(limit.name, args)?.map(Cow::Owned),
            (None, None) => None,
        };
        let name = limit.name;
        value.map(|value| gate_name(name, &value)).ok_or_else(|| {
            Error::invalid(format!(
                "the limit `{}` is keyed by a function: enqueue where the task's own code is",
                shown(name)
            ))
        })
    }

    /// The arguments as JSON, if they fit.
    fn checked(&self, args: impl Serialize) -> Result<Value> {
        let args = serde_json::to_value(args)
            .map_err(|error| Error::new(Kind::Payload, "expected arguments that JSON can hold").because(error))?;
        #[cfg(feature = "schema-check")]
        self.check(&args)?;
        match self.own {
            Some(own) => (own.canonical)(&args),
            None => Ok(args),
        }
    }
}

#[cfg(feature = "schema-check")]
impl DeclaredTask {
    fn new(declaration: Declaration) -> Self {
        // A schema that can't be read says nothing about the arguments; the worker that published it knows better.
        let validator = declaration.schema.as_ref().and_then(|schema| match jsonschema::validator_for(schema) {
            Ok(validator) => Some(std::sync::Arc::new(validator)),
            Err(error) => {
                tracing::warn!(task = declaration.name, %error, "the task's schema can't be read: nothing is checked against it");
                None
            }
        });
        Self { own: linked(&declaration.name), declaration, validator }
    }

    fn check(&self, args: &Value) -> Result<()> {
        /// The most mistakes that one error tells of.
        const MOST: usize = 5;
        let mistakes = self.validator.iter().flat_map(|validator| validator.iter_errors(args));
        let told: Vec<String> = mistakes.take(MOST).map(|error| mistake(&error)).collect();
        if told.is_empty() {
            return Ok(());
        }
        Err(Error::new(Kind::Payload, format!("the arguments don't fit the task's schema: {}", told.join("; "))))
    }
}

/// Where something is wrong, by its JSON pointer, and what.
#[cfg(feature = "schema-check")]
fn mistake(error: &jsonschema::ValidationError<'_>) -> String {
    match error.instance_path().as_str() {
        "" => error.to_string(),
        path => format!("{path}: {error}"),
    }
}

impl fmt::Debug for DeclaredTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeclaredTask").field("name", &self.declaration.name).finish_non_exhaustive()
    }
}

/// The task, where this program has it.
fn linked(name: &str) -> Option<&'static TaskEntry> {
    inventory::iter::<TaskEntry>.into_iter().find(|task| task.name == name || task.aliases.contains(&name))
}

impl Client {
    /// A task by its name, or an earlier one, as the last worker that started has declared it; where none has, as this
    /// program itself does.
    ///
    /// # Errors
    /// Nobody has declared it, or the database can't be reached.
    pub async fn task(&self, name: &str) -> Result<DeclaredTask> {
        let found = self.inner.backend.declarations(Some(name.to_owned())).await?;
        // A task that took the name of another's past is nearer to it than that.
        let exact = found.iter().position(|task| task.name == name).unwrap_or(0);
        match found.into_iter().nth(exact).or_else(|| linked(name).map(TaskEntry::declare)) {
            Some(declaration) => Ok(DeclaredTask::new(declaration)),
            None => Err(self.unknown(name).await?),
        }
    }

    /// All tasks that workers have declared, by name. One that no worker runs any more is still among them.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn tasks(&self) -> Result<Vec<DeclaredTask>> {
        Ok(self.inner.backend.declarations(None).await?.into_iter().map(DeclaredTask::new).collect())
    }

    async fn unknown(&self, name: &str) -> Result<Error> {
        let tasks = self.tasks().await?;
        let own = inventory::iter::<TaskEntry>.into_iter().map(|task| task.name);
        let known: Vec<&str> = tasks.iter().map(DeclaredTask::name).chain(own).collect();
        let message = match nearest(name, &known) {
            Some(meant) => format!("no worker has declared a task of this name: did you mean `{meant}`?"),
            None => {
                "no worker has declared a task of this name: start one that runs it, with the same schema and prefix"
                    .to_owned()
            }
        };
        Ok(Error::invalid(message).about_task(name))
    }
}
