//! `pgq::run`: a whole worker program in one line of `main`.

use std::env;
use std::future::Future;
use std::pin::Pin;

use super::banner::banner;
use super::flags::{Flags, HELP, exit_code};
use super::patience::Patience;
use super::registration::name;
use super::variables::doubts;
use super::worker::Worker;
use crate::client::{Settings, variable};
use crate::error::{Error, Kind, Result};
use crate::platform::{Platform, Terminations};
use crate::task::{Resources, Tasks};
use crate::{Client, set_namespace, set_poll_only};

/// Runs all tasks that are registered in the binary until the process is asked to stop, as the flags and variables say
/// (`--help` lists them).
///
/// It prints what it runs when it starts, and one message when it can't. It is made for `main`: when the worker ends
/// otherwise than asked, it ends the process with the exit code of that ending, and so it does where handlers are left that
/// wouldn't end: a blocking one can't be stopped, only left behind, and its job may run elsewhere meanwhile. Inside a larger
/// program use [`Worker::builder`].
///
/// ```no_run
/// #[pgq::task]
/// async fn greet(name: String) -> Result<(), pgq::BoxError> {
///     println!("hello {name}");
///     Ok(())
/// }
///
/// #[tokio::main]
/// async fn main() -> pgq::Result<()> {
///     pgq::run::<()>().await
/// }
/// ```
///
/// # Errors
/// None that it returns: it ends the process.
#[must_use = "a worker runs when this is awaited"]
pub fn run<R: Resources>() -> Running {
    Box::pin(to_end::<R>(None))
}

/// A program that runs. A type with a name, because the compiler tells of what is wrong with `R` once then.
type Running = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// As [`run`], with the tasks of a list: `pgq::run_with::<App>(pgq::tasks![charge, billing::refund])`.
///
/// # Errors
/// None that it returns: it ends the process.
#[must_use = "a worker runs when this is awaited"]
pub fn run_with<R: Resources>(tasks: Tasks<R>) -> Running {
    Box::pin(to_end(Some(tasks)))
}

async fn to_end<R: Resources>(tasks: Option<Tasks<R>>) -> Result<()> {
    match try_run(tasks).await {
        Ok(Ended::Cleanly) => Ok(()),
        Ok(Ended::LeavingHandlers) => {
            say("pgq: stopped; handlers that didn't end go with the process, and their jobs were handed back");
            // The runtime would wait for the threads that they block, and hold back signals meanwhile.
            std::process::exit(0)
        }
        Err(error) => {
            say(&format!("pgq: {error:?}"));
            std::process::exit(exit_code(&error))
        }
    }
}

#[expect(clippy::print_stderr, reason = "a program speaks to whoever started it")]
pub(super) fn say(line: &str) {
    eprintln!("{}", line.trim_end());
}

/// Of what may be meant otherwise: a program says it where no log does.
pub(super) fn warn(doubt: &str, aloud: bool) {
    tracing::warn!("{doubt}");
    if aloud && !tracing::dispatcher::has_been_set() {
        say(&format!("pgq: {doubt}"));
    }
}

/// How a worker that was asked to stop has stopped.
enum Ended {
    Cleanly,
    LeavingHandlers,
}

async fn try_run<R: Resources>(tasks: Option<Tasks<R>>) -> Result<Ended> {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        #[expect(clippy::print_stdout, reason = "asked for")]
        {
            println!("{HELP}");
        }
        return Ok(Ended::Cleanly);
    }
    let flags = Flags::read(arguments)?;
    let mut terminations = Terminations::listen()
        .map_err(|error| Error::new(Kind::Interrupted, "the system's signals can't be heard").because(error))?;
    for doubt in doubts() {
        warn(&doubt, true);
    }
    let worker = tokio::select! {
        worker = start(flags, tasks) => worker?,
        () = terminations.next() => return Ok(Ended::Cleanly),
    };
    let stopper = worker.stopper();
    worker.until(terminations).await?;
    Ok(if stopper.left_handlers() { Ended::LeavingHandlers } else { Ended::Cleanly })
}

async fn start<R: Resources>(flags: Flags, tasks: Option<Tasks<R>>) -> Result<Worker<R>> {
    let patience = Patience::new(&Platform::system(), flags.restart, true);
    let client = patience.with(|| connect(&flags)).await?;
    let place = patience.with(|| client.backend().describe()).await?;
    let clock = client.platform().clock.clone();
    let worker = build(client, flags, tasks).spawn().await?;
    let who = format!("worker {}, lease {}", name(), worker.lease().0);
    say(&banner(&place, &who, worker.tasks(), worker.duties(), clock.now()));
    if !tracing::dispatcher::has_been_set() {
        say("  no tracing subscriber is set, so failed and discarded jobs won't be shown here");
        worker.doubt().into_iter().for_each(say);
    }
    Ok(worker)
}

async fn connect(flags: &Flags) -> Result<Client> {
    if flags.poll_only {
        set_poll_only();
    }
    if flags.schema.is_some() || flags.prefix.is_some() {
        let schema = flags.schema.as_deref().unwrap_or("pgq");
        // Handlers that enqueue on a connection of their own mean the worker's namespace.
        set_namespace(schema, flags.prefix.as_deref().unwrap_or_default())
            .map_err(|error| Error::invalid(format!("--schema, --prefix (PGQ_SCHEMA, PGQ_PREFIX): {error}")))?;
    }
    Settings::of_process()?;
    if flags.memory {
        return Ok(Client::memory());
    }
    if flags.database_url.is_none() && !named_by_libpq()? {
        return Err(Error::new(Kind::NoDatabase, NO_DATABASE));
    }
    let client = Client::builder()?.connect(flags.database_url.as_deref()).await?;
    if flags.migrate {
        client.migrate().await?;
    }
    Ok(client)
}

const NO_DATABASE: &str = "no database is named: pass --database-url, or set DATABASE_URL or PGHOST and its like; with \
    --memory jobs are kept in memory, for a try";

/// Whether one of libpq's variables names a server or a database.
fn named_by_libpq() -> Result<bool> {
    for name in ["PGHOST", "PGHOSTADDR", "PGDATABASE"] {
        if variable(name)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn build<R: Resources>(client: Client, flags: Flags, tasks: Option<Tasks<R>>) -> super::WorkerBuilder<R> {
    let mut builder = Worker::builder().client(client).slots(flags.slots);
    builder = builder.drain_timeout(flags.drain_timeout).lease(flags.lease).aloud();
    if flags.drain {
        builder = builder.drain();
    }
    if flags.restart {
        builder = builder.restart();
    }
    if flags.shutdown_on_listener_failure {
        builder = builder.shutdown_on_listener_failure();
    }
    if flags.synchronous_commit {
        builder = builder.synchronous_commit();
    }
    if flags.prune_schedules {
        builder = builder.prune_schedules();
    }
    if flags.tasks_only {
        builder = builder.tasks_only();
    }
    if flags.schedules_only {
        builder = builder.schedules_only();
    }
    if let Some(slots) = flags.blocking_slots {
        builder = builder.blocking_slots(slots);
    }
    if let Some(tasks) = tasks {
        builder = builder.tasks(tasks);
    }
    if let Some(names) = flags.tasks {
        builder = builder.only(names);
    }
    if let Some(queues) = flags.queues {
        builder = builder.queues(queues);
    }
    builder
}
