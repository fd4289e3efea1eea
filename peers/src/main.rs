//! What pgq and other libraries do per second and per job with the same work, on one server, in one run.
//!
//! `cargo run --release` in this directory. Rounds of all take turns, medians are told, and each phase of each peer is a
//! process of its own: one that panics, hangs or installs signal handlers harms no other one.

mod adapters;
mod args;
mod child;
mod conditions;
mod database;
mod environment;
mod peer;
mod phase;
mod report;
mod rounds;
mod runs;
mod tally;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use pgq_benches::database::Server;

use crate::args::{Args, Command};
use crate::tally::Tally;

fn main() -> ExitCode {
    let done = match args::parse(lexopt::Parser::from_env()) {
        Ok(Command::Compare(args)) => compare(&args),
        Ok(Command::Phase(phase)) => runtime().map(|runtime| runtime.block_on(phase::run(&phase))),
        Ok(Command::Help) => {
            print!("{}", args::help());
            Ok(())
        }
        Err(error) => {
            eprintln!("peers: {error}\n\n{}", args::help());
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn compare(args: &Args) -> Result<()> {
    // Started before the runtime, because it blocks; dropped, and with it removed, after everything else.
    let server = Server::start(args.database_url.as_deref())?;
    runtime()?.block_on(async {
        let admin = server.connect().await?;
        let tallies = Box::pin(rounds::run(args, &server, &admin)).await?;
        let conditions = conditions::read(args, &admin).await?;
        let report = report::Report { conditions: &conditions, tallies: &tallies };
        print!("{}", if args.json { report.json() } else { report.table() });
        if let Some(path) = &args.markdown {
            std::fs::write(path, report.markdown())?;
        }
        let twice: u32 = tallies.iter().filter(|tally| tally.is_pgq()).map(Tally::duplicates).sum();
        ensure!(twice == 0, "pgq ran {twice} jobs twice");
        Ok(())
    })
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
