//! The worker: both ends of a process that runs the tasks.

use std::process::Stdio;
use std::time::Duration;
use std::{env, io, process, thread};

use pgq::{BoxError, CancellationToken, Client, Worker};
use tokio::process::Command;
use tokio::sync::{oneshot, watch};
use tokio::time::sleep;

use crate::tasks::Shop;

/// Runs the tasks of this program until the web service goes away or says stop.
pub(crate) async fn work(url: &str) -> Result<(), BoxError> {
    let pid = process::id();
    let client = Client::connect(url).await?;
    // A worker that is silent for longer than its lease is taken for dead. Two seconds is impatient, for the show.
    let lease = Duration::from_secs(2);
    let worker = Worker::<Shop>::builder().client(client).lease(lease).drain_timeout(Duration::from_secs(10));
    let mut worker = worker.spawn().await?;
    println!("worker {pid}: ready (to crash it: kill -9 {pid})");
    tokio::select! {
        // It was silent for too long, and others have its jobs: end, so that a fresh one can be started.
        ended = worker.ended() => ended?,
        asked = asked_to_stop() => asked?,
    }
    worker.stop().await?;
    println!("worker {pid}: stopped");
    Ok(())
}

/// The web service holds the other end of our standard input: however it ends, we read the end of the file.
async fn asked_to_stop() -> Result<(), BoxError> {
    let (tell, told) = oneshot::channel();
    // A thread, because tokio's own way to read standard input can't be left before it returns.
    thread::spawn(move || tell.send(io::copy(&mut io::stdin(), &mut io::sink())));
    told.await?.map(drop)?;
    Ok(())
}

/// Keeps one worker process running: when it dies, the next one starts a second later. `pid` tells the page which.
pub(crate) async fn keep(url: &str, pid: &watch::Sender<Option<u32>>, stop: &CancellationToken) -> io::Result<()> {
    while !stop.is_cancelled() {
        let mut command = Command::new(env::current_exe()?);
        // In a process group of its own, so that Ctrl-C is for us alone, who then ask the worker to stop.
        command.arg("worker").env("DATABASE_URL", url).stdin(Stdio::piped()).process_group(0);
        let mut child = command.spawn()?;
        let (stdin, id) = (child.stdin.take(), child.id());
        pid.send_replace(id);
        tokio::select! {
            () = stop.cancelled() => drop(stdin),
            _ = child.wait() => {}
        }
        let status = child.wait().await?;
        pid.send_replace(None);
        if !stop.is_cancelled() {
            println!("worker {}: died ({status}); the next one starts in a second", id.unwrap_or_default());
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(Duration::from_secs(1)) => {}
            }
        }
    }
    Ok(())
}
