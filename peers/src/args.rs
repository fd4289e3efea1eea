//! The command line.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use lexopt::{Arg, Parser, ValueExt};

use crate::adapters;
use crate::peer::Entry;
use crate::phase::Phase;

/// What was asked for.
pub(crate) enum Command {
    Compare(Args),
    /// A child process's part; see [`crate::child`].
    Phase(Phase),
    Help,
}

pub(crate) struct Args {
    pub(crate) quick: bool,
    pub(crate) json: bool,
    pub(crate) markdown: Option<PathBuf>,
    pub(crate) database_url: Option<String>,
    pub(crate) only: Vec<&'static Entry>,
    pub(crate) rounds: u32,
    pub(crate) jobs: u32,
    /// How many latencies a round samples.
    pub(crate) samples: u32,
    /// Who else used the machine, in the words of whoever ran this.
    pub(crate) note: Option<String>,
}

pub(crate) fn parse(mut parser: Parser) -> Result<Command> {
    let (mut rounds, mut jobs) = (None, None);
    let mut args = Args {
        quick: false,
        json: false,
        markdown: None,
        database_url: None,
        only: vec![],
        rounds: 0,
        jobs: 0,
        samples: 100,
        note: None,
    };
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("quick") => args.quick = true,
            Arg::Long("json") => args.json = true,
            Arg::Long("markdown") => args.markdown = Some(parser.value()?.into()),
            Arg::Long("note") => args.note = Some(parser.value()?.string()?),
            Arg::Long("database-url") => args.database_url = Some(parser.value()?.string()?),
            Arg::Long("only") => args.only = entries(&parser.value()?.string()?)?,
            Arg::Long("rounds") => rounds = Some(positive(&parser.value()?.string()?)?),
            Arg::Long("jobs") => jobs = Some(positive(&parser.value()?.string()?)?),
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            Arg::Value(word) if word == "phase" => return phase(&mut parser),
            other => bail!("{}: expected one of those below", other.unexpected()),
        }
    }
    args.rounds = rounds.unwrap_or(if args.quick { 2 } else { 4 });
    args.jobs = jobs.unwrap_or(if args.quick { 20_000 } else { 200_000 });
    if args.only.is_empty() {
        args.only = adapters::ALL.iter().collect();
    }
    Ok(Command::Compare(args))
}

fn phase(parser: &mut Parser) -> Result<Command> {
    let mut word = || anyhow::Ok(parser.value()?.string()?);
    let (peer, name, count) = (word()?, word()?, positive(&word()?)?);
    let url = std::env::var("DATABASE_URL").context("expected DATABASE_URL to name the phase's database")?;
    Ok(Command::Phase(Phase { peer, name, url, count }))
}

/// The peers of these names, and pgq, with which they are compared.
fn entries(names: &str) -> Result<Vec<&'static Entry>> {
    let wanted = names.split(',').map(adapters::find).collect::<Result<Vec<_>>>()?;
    Ok(adapters::ALL
        .iter()
        .filter(|entry| entry.name == adapters::ALL[0].name || wanted.iter().any(|wanted| wanted.name == entry.name))
        .collect())
}

fn positive(text: &str) -> Result<u32> {
    let number = u32::from_str(text).ok().filter(|number| *number > 0);
    number.with_context(|| format!("expected a number of at least 1, got {text:?}"))
}

pub(crate) fn help() -> String {
    format!(
        "usage: cargo run --release -- [flags]

  --quick               fewer jobs and rounds
  --only <name,…>       pgq and these
  --rounds <n>          rounds in which all take turns (4, quick 2)
  --jobs <n>            jobs of a round (200000, quick 20000)
  --json                one JSON object instead of a table
  --markdown <file>     a page of results as well
  --note <text>         a condition that this program can't know, e.g. who else used the machine
  --database-url <url>  a server of one's own, on which databases are created and dropped, instead of a throw-away one

names: {}
",
        adapters::names()
    )
}
