//! What pgq does per second and per job, each figure beside bare SQL that does the same in the same run.
//!
//! `cargo run --release --bin bench -- [--quick] [--json] [what…]`. Machines differ and have neighbours, so rounds of
//! ours and of the baseline take turns, medians are told, and the ratios are what is to be trusted.

mod args;
mod bench;
mod conditions;
mod drain;
mod load;
mod many;
mod measure;
mod payload;
mod raw;
mod report;

use std::process::ExitCode;

use anyhow::Result;
use pgq_benches::{cleanup, counts, database, figures, machine};

use crate::args::{Args, Command};
use crate::bench::Bench;

fn main() -> ExitCode {
    if let Ok(url) = std::env::var(measure::WORKER_URL) {
        return ended(work(&url));
    }
    let args = match args::parse(lexopt::Parser::from_env()) {
        Ok(Command::Run(args)) => args,
        Ok(Command::Help) => {
            print!("{}", args::help());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("bench: {error}\n\n{}", args::help());
            return ExitCode::from(2);
        }
    };
    ended(run(args))
}

fn ended(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<()> {
    // Started before the runtime, because it blocks; dropped, and with it removed, after everything else.
    let server = database::Server::start(args.database_url.as_deref())?;
    cleanup::on(&server, async |admin| measure_all(admin, args).await)
}

/// One of the processes of a fleet that is measured.
fn work(url: &str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure::work(url))
}

async fn measure_all(server: &database::Admin, args: Args) -> Result<()> {
    let bench = Bench::new(server, &args).await?;
    if let Some(why) = bench.uncounted {
        eprintln!("statements, buffers and bytes of log aren't counted: {why}");
    }
    let conditions = conditions::read(&bench).await?;
    let mut sections = Vec::new();
    for measurement in &args.what {
        eprintln!("{}: {}", measurement.name, measurement.about);
        sections.extend((measurement.run)(&bench).await?);
    }
    if args.json {
        println!("{}", report::json(&conditions, &sections));
    } else {
        print!("{}", report::table(&conditions, &sections));
    }
    Ok(())
}
