//! Which tasks a worker runs: those that `#[pgq::task]` registered in the binary, or those of a list.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use pgq_core::{Codec, Outcome, TaskOptions};

use super::layer::Equipped;
use super::resources::{Provides, Share};
use super::{Attempt, Context, Layer, Layers, Location, Payload, Provide, Provider, Task, decode};
use crate::error::{Error, Kind, Result};

fn canonical<T: Task>(args: &serde_json::Value) -> Result<serde_json::Value> {
    let bytes = args.to_string().into_bytes();
    let args = decode::<T::Args>(Codec::Json.number(), &bytes);
    args.map_err(|failure| Error::new(Kind::Payload, failure.message().to_owned()))?.to_json()
}

fn limit_key<T: Task>(limit: &str, args: &serde_json::Value) -> Result<Option<String>> {
    let position = T::OPTIONS.limits().iter().position(|known| known.full_name(T::NAME) == limit);
    let Some(position) = position else { return Ok(None) };
    let args = decode::<T::Args>(Codec::Json.number(), args.to_string().as_bytes());
    let args = args.map_err(|failure| Error::new(Kind::Payload, failure.message().to_owned()))?;
    Ok(T::limit_key(position, &args))
}

/// A task without its types, as the registry holds it.
#[derive(Clone, Copy)]
pub struct TaskEntry {
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) options: TaskOptions,
    pub(crate) location: Location,
    pub(crate) blocking: bool,
    pub(crate) schema: fn() -> Option<serde_json::Value>,
    /// Arguments as the task itself would write them.
    pub(crate) canonical: fn(&serde_json::Value) -> Result<serde_json::Value>,
    /// The limit key that a function of the task's makes of arguments, for a limit by its full name.
    pub(crate) limit_key: fn(&str, &serde_json::Value) -> Result<Option<String>>,
    wants: TypeId,
    wants_name: fn() -> &'static str,
    bind: Bind,
}

/// Gives a task its resources: a `Provides<T::Resources>`, or there is no answer.
type Bind = fn(Box<dyn Any + Send + Sync>) -> Option<Bound>;

inventory::collect!(TaskEntry);

impl TaskEntry {
    /// The entry of a task.
    #[must_use]
    pub const fn of<T: Task>() -> Self {
        Self {
            name: T::NAME,
            aliases: T::ALIASES,
            options: T::OPTIONS,
            location: T::LOCATION,
            blocking: T::BLOCKING,
            schema: T::schema,
            canonical: canonical::<T>,
            limit_key: limit_key::<T>,
            wants: TypeId::of::<T::Resources>(),
            wants_name: type_name::<T::Resources>,
            bind: bind::<T>,
        }
    }
}

impl fmt::Debug for TaskEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.location)
    }
}

/// A task with its resources: ready to run.
pub(crate) trait Runnable: Send + Sync {
    /// Runs one attempt to its outcome. A panic of the handler comes out of the future as a panic.
    fn run(&self, attempt: Arc<Attempt>, codec: i16, payload: &[u8]) -> Run;
}

/// One attempt, on its way to its outcome.
pub type Run = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// What a task becomes with its resources.
struct Bound {
    runnable: Arc<dyn Runnable>,
    layers: Vec<Arc<dyn Layer>>,
}

fn bind<T: Task>(shared: Box<dyn Any + Send + Sync>) -> Option<Bound> {
    let resources = *shared.downcast::<Provides<T::Resources>>().ok()?;
    let equip = |layer| Arc::new(Equipped { layer, resources: Arc::clone(&resources) }) as Arc<dyn Layer>;
    let layers = T::layers().into_iter().map(equip).collect();
    Some(Bound { runnable: Arc::new(Ready::<T> { resources }), layers })
}

struct Ready<T: Task> {
    resources: Provides<T::Resources>,
}

impl<T: Task> Runnable for Ready<T> {
    fn run(&self, attempt: Arc<Attempt>, codec: i16, payload: &[u8]) -> Run {
        let args = match decode::<T::Args>(codec, payload) {
            Ok(args) => args,
            Err(failure) => return Box::pin(std::future::ready(Outcome::Hopeless(failure))),
        };
        let attempt = T::run(Context::new(Arc::clone(&self.resources), attempt), args);
        Box::pin(async move {
            match attempt.await {
                Ok(_) => Outcome::Completed,
                Err(error) => error.into_outcome(),
            }
        })
    }
}

/// The tasks of a worker with resources `R`. [`tasks!`](crate::tasks) makes one of a list; without a list, a worker takes
/// all that are registered in the binary.
pub struct Tasks<R> {
    listed: Vec<Listed<R>>,
}

struct Listed<R> {
    entry: TaskEntry,
    share: Share<R>,
}

/// A task that a worker runs.
pub(crate) struct BoundTask {
    pub(crate) entry: TaskEntry,
    pub(crate) runnable: Arc<dyn Runnable>,
    pub(crate) layers: Layers,
}

impl<R: Provider> Tasks<R> {
    /// No task yet.
    #[must_use]
    pub fn new() -> Self {
        Self { listed: Vec::new() }
    }

    /// One more. That `R` provides what the task asks for is checked at compile time.
    #[must_use]
    pub fn with<T: Task>(mut self) -> Self
    where
        R: Provide<T::Resources>,
    {
        self.listed.push(Listed {
            entry: TaskEntry::of::<T>(),
            share: |resources| Box::new(Arc::clone(resources) as Provides<T::Resources>),
        });
        self
    }

    /// All tasks that are registered in the binary.
    ///
    /// # Errors
    /// A task asks for what `R` doesn't provide; the message names both and what there is.
    pub(crate) fn registered() -> Result<Self> {
        let provided = R::provided();
        let mut listed = Vec::new();
        for entry in inventory::iter::<TaskEntry> {
            let Some(provision) = provided.iter().find(|provision| provision.is(entry.wants)) else {
                let named = provided.iter().filter(|provision| !provision.is(TypeId::of::<()>()));
                let there_is: Vec<_> = named.map(|provision| format!("`{}`", provision.type_name())).collect();
                return Err(missing_resource::<R>(entry, &there_is.join(", ")));
            };
            listed.push(Listed { entry: *entry, share: provision.share });
        }
        Ok(Self { listed })
    }

    /// Keeps the tasks of these names.
    ///
    /// # Errors
    /// There is no task of a name.
    pub(crate) fn only(mut self, names: &[String]) -> Result<Self> {
        for name in names {
            if !self.listed.iter().any(|listed| listed.entry.name == name) {
                let there_is: Vec<_> = self.listed.iter().map(|listed| listed.entry.name).collect();
                let message = format!("there is no task `{name}` in this binary; there is {}", there_is.join(", "));
                return Err(Error::invalid(message));
            }
        }
        self.listed.retain(|listed| names.iter().any(|name| name == listed.entry.name));
        Ok(self)
    }

    /// Checks that there is a task, and no two of one name or alias. Sorted by crate and name, for whoever reads them.
    ///
    /// # Errors
    /// What is wrong, and how to mend it.
    pub(crate) fn checked(mut self) -> Result<Self> {
        if self.listed.is_empty() {
            return Err(Error::new(Kind::NoTasks, NO_TASKS));
        }
        self.listed.sort_by_key(|listed| (listed.entry.location.krate, listed.entry.name));
        let mut seen: HashMap<&str, Location> = HashMap::new();
        for entry in self.entries() {
            for name in std::iter::once(&entry.name).chain(entry.aliases) {
                if let Some(first) = seen.insert(name, entry.location) {
                    return Err(duplicate_name(name, first, entry.location));
                }
            }
        }
        Ok(self)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &TaskEntry> {
        self.listed.iter().map(|listed| &listed.entry)
    }

    /// The tasks with their resources, within these layers, by name and alias.
    pub(crate) fn bind(&self, resources: &Arc<R>, outer: &[Arc<dyn Layer>]) -> HashMap<&'static str, Arc<BoundTask>> {
        let mut bound = HashMap::new();
        for Listed { entry, share } in &self.listed {
            // `with` and `registered` took the share of the very type that the entry wants, so there is always one.
            let Some(Bound { runnable, layers }) = (entry.bind)(share(resources)) else { continue };
            let layers = outer.iter().cloned().chain(layers).collect();
            let task = Arc::new(BoundTask { entry: *entry, runnable, layers });
            for alias in entry.aliases {
                bound.insert(*alias, Arc::clone(&task));
            }
            bound.insert(entry.name, task);
        }
        bound
    }
}

impl<R: Provider> Default for Tasks<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> fmt::Debug for Tasks<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.listed.iter().map(|listed| &listed.entry)).finish()
    }
}

const NO_TASKS: &str = "no task is registered in this binary: put #[pgq::task] on an async fn; tasks of a library crate \
    are linked only where the binary names the crate (`use billing as _;`), or list them with \
    `pgq::run_with::<App>(pgq::tasks![billing::charge])`";

fn missing_resource<R>(entry: &TaskEntry, there_is: &str) -> Error {
    let (wants, resources, location) = ((entry.wants_name)(), type_name::<R>(), entry.location);
    let message = format!(
        "asks for `Context<{wants}>` at {location}, but `{resources}` provides {there_is}; add a field of that type to \
         `{resources}`, which derives pgq::Provide"
    );
    Error::new(Kind::MissingResource, message).about_task(entry.name)
}

fn duplicate_name(name: &str, first: Location, second: Location) -> Error {
    let message = format!("two tasks have this name, at {first} and {second}: give one of them `name = \"…\"`");
    Error::new(Kind::DuplicateTask, message).about_task(name)
}

/// A list of tasks for [`run_with`](crate::run_with) and [`WorkerBuilder::tasks`](crate::WorkerBuilder::tasks):
/// `pgq::tasks![charge, billing::refund]`. What a task asks for and the resources don't provide is a compile error at
/// the list's element, and so are two tasks of one name or alias. Where tasks are type parameters, build the list by
/// [`Tasks::with`](crate::Tasks::with).
#[macro_export]
macro_rules! tasks {
    ($($tasks:tt)*) => {
        $crate::__private::tasks!($crate; $($tasks)*)
    };
}
