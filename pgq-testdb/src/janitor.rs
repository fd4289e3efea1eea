//! Who cleans up when this process can't: a shell that waits for the end of its standard input.
//!
//! The write end of that pipe is ours alone (close-on-exec), so the kernel closes it however we end, by `SIGKILL` too.
//! Then the shell stops the server that it was last told of and removes the directory.
//!
//! `PR_SET_PDEATHSIG` would fire when the *thread* ends that started the server: wrong under a test harness.
//! If we die between starting the server and telling its number, the shell takes the directory only; PostgreSQL ends
//! itself within a minute once its lock file is gone.

use std::{
    io::Write,
    path::Path,
    process::{Child, ChildStdin, Stdio},
};

use crate::{Error, account::isolated};

const SCRIPT: &str = r#"
trap '' HUP INT TERM
while read -r line; do server=$line; done
if [ -n "$server" ] && kill -QUIT "$server" 2>/dev/null; then
    # Its lock file goes when it does; its number may stay, as a zombie, where nobody reaps orphans.
    tries=0
    while kill -0 "$server" 2>/dev/null && [ -e "$1/data/postmaster.pid" ] && [ "$tries" -lt 300 ]; do
        sleep 0.02
        tries=$((tries + 1))
    done
    [ "$tries" -lt 300 ] || kill -KILL "$server" 2>/dev/null
fi
# Twice, for a file that a late backend writes in between.
rm -rf "$1" 2>/dev/null || rm -rf "$1"
"#;

#[derive(Debug)]
pub(crate) struct Janitor {
    shell: Child,
    pipe: Option<ChildStdin>,
}

impl Janitor {
    /// Takes charge of `directory`.
    pub(crate) fn start(directory: &Path) -> Result<Self, Error> {
        // As this process's user, who alone may remove the directory from its parent if that is a chosen one.
        let mut shell = isolated("sh");
        shell.args(["-c", SCRIPT, "pgq-testdb-janitor"]).arg(directory);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut shell = shell.spawn().map_err(|cause| Error::because("`sh` could not start", cause))?;
        let pipe = shell.stdin.take();
        Ok(Self { shell, pipe })
    }

    /// Which process to stop at the end; `None` when it has ended, so that its number isn't hit when used again.
    pub(crate) fn watch(&mut self, server: Option<u32>) -> Result<(), Error> {
        let line = server.map_or_else(|| "\n".to_owned(), |pid| format!("{pid}\n"));
        let told = self.pipe.as_mut().map_or(Ok(()), |pipe| pipe.write_all(line.as_bytes()));
        told.map_err(|cause| Error::because("the server's janitor is gone", cause))
    }
}

impl Drop for Janitor {
    /// Returns when everything is cleaned up.
    fn drop(&mut self) {
        self.pipe = None;
        let _ = self.shell.wait();
    }
}
