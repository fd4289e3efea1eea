//! No database stays on the server, however the program that measures on it ends.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use crate::database::{Admin, Server};

/// A server that doesn't drop its databases by then is away itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures on `server`, in a runtime of its own. Afterwards what is left there of its databases is dropped: after an error, a panic,
/// SIGINT (Ctrl-C) or SIGTERM too.
pub fn on<T>(server: &Server, measure: impl AsyncFnOnce(&Admin) -> Result<T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let admin = runtime.block_on(server.connect())?;
    let measured = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            tokio::select! {
                measured = measure(&admin) => measured,
                signal = asked_to_end() => bail!("ended by {}", signal?),
            }
        })
    }));
    let dropped = runtime.block_on(async { timeout(PATIENCE, admin.drop_all()).await });
    let measured = measured.unwrap_or_else(|panic| resume_unwind(panic))?;
    dropped.context("its databases weren't dropped in time")??;
    Ok(measured)
}

async fn asked_to_end() -> Result<&'static str> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => Ok("SIGINT"),
        _ = terminate.recv() => Ok("SIGTERM"),
    }
}
