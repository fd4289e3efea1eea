//! A small shop: a web service that takes orders, and a worker that charges them and sends receipts.
//!
//! `cargo run --example orders` starts both, each as a process of its own, on the PostgreSQL that `DATABASE_URL` names or
//! else on a throw-away one, and says what to try. The best part: kill the worker while it charges, and watch the job
//! come back.
//!
//! `web.rs` places an order and its jobs in one transaction, `tasks.rs` is what runs them, `worker.rs` runs it.

mod tasks;
mod web;
mod worker;

use std::env;

use pgq::{BoxError, CancellationToken, Client, sqlx};
use pgq_testdb::{Options, Server};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    match env::args().nth(1).as_deref() {
        None => serve().await,
        Some("worker") => worker::work(&env::var("DATABASE_URL").map_err(|_| "a worker needs DATABASE_URL")?).await,
        Some(other) => Err(format!("expected nothing or `worker`, got `{other}`").into()),
    }
}

/// Runs the web service, and the worker as its child, until Ctrl-C.
async fn serve() -> Result<(), BoxError> {
    let listener = listen().await?;
    let (url, _throw_away) = database()?;
    let client = Client::connect(&url).await?;
    client.migrate().await?;
    sqlx::raw_sql(include_str!("schema.sql")).execute(client.pool()?).await?;
    println!("jobs are in {}; orders beside them, in schema shop", client.backend().describe().await?);
    welcome(&format!("http://{}", listener.local_addr()?));

    let stop = CancellationToken::new();
    let (pid, worker) = watch::channel(None);
    let web = axum::serve(listener, web::router(client, worker));
    let web = web.with_graceful_shutdown(stop.clone().cancelled_owned()).into_future();
    tokio::try_join!(web, worker::keep(&url, &pid, &stop), stop_on_signal(&stop))?;
    println!("stopped");
    Ok(())
}

/// The database that `DATABASE_URL` names, or a throw-away server that lives as long as the value beside its URL.
fn database() -> Result<(String, Option<Server>), BoxError> {
    if let Some(url) = env::var("DATABASE_URL").ok().filter(|url| !url.is_empty()) {
        return Ok((url, None));
    }
    println!("DATABASE_URL isn't set: starting a throw-away PostgreSQL, which goes when this program ends");
    let server = Server::start(Options::default())?;
    Ok((server.url(), Some(server)))
}

/// On `PORT`, or 3000; on any free port for `PORT=0`.
async fn listen() -> Result<TcpListener, BoxError> {
    let port = env::var("PORT").map_or(Ok(3000), |port| port.parse()).map_err(|_| "PORT: expected a number")?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await;
    Ok(listener.map_err(|error| format!("can't listen on port {port}: {error}; PORT=3001 would name another"))?)
}

fn welcome(url: &str) {
    println!(
        "listening on {url}

  see       open {url} in a browser, or: curl {url}/orders
  order     curl -d item=lamp -d quantity=2 {url}/orders
  fail      curl -d item=unicorn {url}/orders
            it is out of stock: the transaction is rolled back, and neither an order nor a job is left
  crash     order something, and within three seconds kill -9 the worker, whose number is below:
            some four seconds later the next worker takes the job over, and charges no second time
  stop      Ctrl-C: the worker finishes what it runs
"
    );
}

async fn stop_on_signal(stop: &CancellationToken) -> std::io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    println!("stopping");
    stop.cancel();
    Ok(())
}
