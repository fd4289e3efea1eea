//! What the programs that break things have in common: how they are asked, and how they draw.

use lexopt::prelude::*;

/// Hands each option to `take`, by its name, until there is none left; `take` says whether it knows it. `--help` prints what
/// there is, and ends; so does what can't be read, with 2, as 1 says that a promise was broken.
pub(crate) fn options(help: &str, take: impl FnMut(&str, &mut lexopt::Parser) -> anyhow::Result<bool>) {
    if let Err(error) = read(help, take) {
        eprintln!("{error}");
        std::process::exit(2);
    }
}

fn read(help: &str, mut take: impl FnMut(&str, &mut lexopt::Parser) -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        let name = match argument {
            Long("help") | Short('h') => show(help),
            Long(name) => name.to_owned(),
            other => return Err(other.unexpected().into()),
        };
        anyhow::ensure!(take(&name, &mut parser)?, "there is no option `--{name}`: see --help");
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "asked for")]
fn show(help: &str) -> ! {
    println!("{help}");
    std::process::exit(0)
}
