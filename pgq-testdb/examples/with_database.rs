//! Runs a command with `DATABASE_URL` naming a throw-away PostgreSQL server, and ends as it does:
//! `cargo run -p pgq-testdb --example with_database -- cargo run --example quickstart`.

use std::error::Error;
use std::process::{Command, ExitCode};

use pgq_testdb::{Options, Server};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().ok_or("expected a command to run")?;
    let server = Server::start(Options::default())?;
    let status = Command::new(program).args(arguments).env("DATABASE_URL", server.url()).status()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}
