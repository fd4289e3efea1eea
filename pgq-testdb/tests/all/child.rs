//! A test in a process of its own: the test binary runs itself, with one test and another environment.

use std::{
    env,
    error::Error,
    io::{self, BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const ROLE: &str = "PGQ_TESTDB_TEST_CHILD";
const MARK: &str = "child says: ";

/// Whether this process is the child that the test of this name started.
pub(crate) fn is_child() -> bool {
    env::var_os(ROLE).is_some()
}

/// For the child: tells the parent something, then holds what it has until it is killed.
pub(crate) fn say_and_hold(what: &str) {
    say(what);
    // Ends also when the parent is gone.
    let _ = io::stdin().read_line(&mut String::new());
}

pub(crate) fn say(what: &str) {
    println!("\n{MARK}{what}");
    let _ = io::stdout().flush();
}

/// The child for `test`, as `module::name`.
pub(crate) fn command(test: &str) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--exact", test, "--nocapture"]).env(ROLE, "1");
    for way in ["PGQ_TEST_POSTGRES", "PGQ_TEST_DATABASE_URL", "PGQ_TEST_POSTGRES_BIN"] {
        command.env_remove(way);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    Ok(command)
}

/// A child that has said something and holds on; killed when dropped.
pub(crate) struct Holding {
    process: Child,
    pub(crate) said: String,
}

impl Holding {
    pub(crate) fn start(command: &mut Command) -> Result<Self, Box<dyn Error>> {
        let mut process = command.spawn()?;
        let output = process.stdout.take().ok_or("no output")?;
        let said = BufReader::new(output)
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix(MARK).map(str::to_owned));
        let mut holding = Self { process, said: String::new() };
        holding.said = said.ok_or("the child said nothing")?;
        Ok(holding)
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.process.kill()?;
        self.process.wait().map(drop)
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// What a child said that ran to its end.
pub(crate) fn output(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let output = command.stdin(Stdio::null()).output()?;
    let text = String::from_utf8(output.stdout)?;
    assert!(output.status.success(), "{text}");
    let said = text.lines().find_map(|line| line.strip_prefix(MARK));
    Ok(said.ok_or("the child said nothing")?.to_owned())
}

/// For what another process does in its own time.
pub(crate) fn eventually(mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        if holds() {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}
