//! The command line.

use anyhow::{Context, Result, bail};
use lexopt::{Arg, Parser, ValueExt};

use crate::measure::{ALL, Measurement};

/// What was asked for.
pub(crate) enum Command {
    Run(Args),
    Help,
}

pub(crate) struct Args {
    pub(crate) quick: bool,
    pub(crate) json: bool,
    pub(crate) database_url: Option<String>,
    pub(crate) slots: Option<usize>,
    pub(crate) rounds: Option<u32>,
    pub(crate) jobs: Option<u32>,
    pub(crate) what: Vec<&'static Measurement>,
}

pub(crate) fn parse(mut parser: Parser) -> Result<Command> {
    let mut args =
        Args { quick: false, json: false, database_url: None, slots: None, rounds: None, jobs: None, what: vec![] };
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("quick") => args.quick = true,
            Arg::Long("json") => args.json = true,
            Arg::Long("database-url") => args.database_url = Some(parser.value()?.string()?),
            Arg::Long("slots") => args.slots = Some(positive(&mut parser, "--slots")?),
            Arg::Long("rounds") => args.rounds = Some(positive(&mut parser, "--rounds")?),
            Arg::Long("jobs") => args.jobs = Some(positive(&mut parser, "--jobs")?),
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            Arg::Value(name) => args.what.push(measurement(&name.string()?)?),
            other => bail!("{}: expected one of those below", other.unexpected()),
        }
    }
    if args.what.is_empty() {
        args.what = ALL.iter().filter(|known| known.quick || !args.quick).collect();
    }
    Ok(Command::Run(args))
}

fn positive<N: std::str::FromStr + PartialOrd + From<u8>>(parser: &mut Parser, flag: &str) -> Result<N> {
    let text = parser.value()?.string()?;
    let number = text.parse().ok().filter(|number| *number >= N::from(1));
    number.with_context(|| format!("{flag}: expected a number of at least 1, got {text:?}"))
}

fn measurement(name: &str) -> Result<&'static Measurement> {
    match ALL.iter().find(|known| known.name == name) {
        Some(known) => Ok(known),
        None => bail!("expected one of {}, got {name:?}", names()),
    }
}

fn names() -> String {
    ALL.iter().map(|known| known.name).collect::<Vec<_>>().join(", ")
}

pub(crate) fn help() -> String {
    let mut help = "usage: cargo run --release --bin bench -- [flags] [what…]

  --quick               fewer jobs and rounds, within about a minute where nothing is named
  --json                one JSON object instead of a table
  --slots <n>           the worker's slots in drain (1000)
  --rounds <n>          rounds of ours and of the baseline, in turns (4, quick 2)
  --jobs <n>            jobs of a round in drain and enqueue_bulk (200000, quick 40000)
  --database-url <url>  a server of one's own instead of a throw-away one, by a role that may create databases: each round has one,
                        and all are dropped

what, or all of it (quickly: of what has a *):
"
    .to_owned();
    for Measurement { name, about, quick, .. } in ALL {
        let name = format!("{name}{}", if *quick { "*" } else { "" });
        help.extend(["  ", &format!("{name:<22}"), about, "\n"]);
    }
    help
}
