//! Who runs the server: this process's user, or an unprivileged one when that is root, which PostgreSQL refuses.

use std::{
    env,
    ffi::OsStr,
    fs, io,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
    sync::OnceLock,
};

use crate::Error;

/// The user of the server and of everything that touches its files.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    gid: u32,
    name: String,
    /// This process is root, and the account isn't.
    lowered: bool,
}

impl Account {
    /// Found out once a process.
    pub(crate) fn get() -> Result<&'static Self, Error> {
        static ACCOUNT: OnceLock<Result<Account, Error>> = OnceLock::new();
        ACCOUNT.get_or_init(Self::find).as_ref().map_err(Clone::clone)
    }

    fn find() -> Result<Self, Error> {
        let (uid, gid) = (Self::own_uid()?, own_id("-g")?);
        if uid != 0 {
            return Ok(Self { uid, gid, name: format!("uid {uid}"), lowered: false });
        }
        // initdb looks its user up: a bare number without an entry here doesn't do.
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        ["postgres", "nobody"].into_iter().find_map(|name| unprivileged(&passwd, name)).ok_or_else(|| {
            Error::new(
                "PostgreSQL doesn't run as root, and there is no user `postgres` or `nobody` to run it as: \
                 add one, or run this as another user",
            )
        })
    }

    /// The user of this process.
    pub(crate) fn own_uid() -> Result<u32, Error> {
        own_id("-u")
    }

    /// A command as this user.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = isolated(program);
        if self.lowered {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Runs `command` to its end; its own words are the error.
    pub(crate) fn run(command: &mut Command, what: &str) -> Result<(), Error> {
        let output = command.output().map_err(|cause| Error::because(format_args!("{what} could not run"), cause))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Error::new(format!("{what} failed ({}): {}", output.status, said.trim())))
    }

    /// Gives a path that this process just made to the account.
    pub(crate) fn own(&self, path: &Path) -> io::Result<()> {
        if self.lowered { chown(path, Some(self.uid), Some(self.gid)) } else { Ok(()) }
    }

    /// Whether the account may pass through `directory` and all above it: root's home, for one, is closed to it.
    pub(crate) fn reaches(&self, directory: &Path) -> bool {
        let Ok(directory) = directory.canonicalize() else { return false };
        !self.lowered || directory.ancestors().all(|step| fs::metadata(step).is_ok_and(|step| self.may_pass(&step)))
    }

    fn may_pass(&self, directory: &fs::Metadata) -> bool {
        let class = match directory {
            owner if owner.uid() == self.uid => 0o100,
            group if group.gid() == self.gid => 0o010,
            _ => 0o001,
        };
        directory.mode() & class != 0
    }

    /// For messages.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// A command that is deaf to this process's environment, terminal and working directory.
pub(crate) fn isolated(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    // PGDATA, PGPORT and their like would reach the server; the messages that we read are the English ones.
    command.env_clear().env("HOME", "/").env("LC_ALL", "C");
    for kept in ["PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"] {
        command.envs(env::var_os(kept).map(|value| (kept, value)));
    }
    // A group of its own: Ctrl-C in the terminal is for the tests, and their end ends the server.
    command.current_dir("/").stdin(Stdio::null()).process_group(0);
    command
}

/// By `id`, because std has no getuid and the owner of /proc/self lies about undumpable processes.
fn own_id(flag: &str) -> Result<u32, Error> {
    let failed = |why: &str| Error::new(format!("expected a number from `id {flag}`, got {why}"));
    let output = Command::new("id").arg(flag).output().map_err(|cause| failed(&cause.to_string()))?;
    let number = String::from_utf8_lossy(&output.stdout);
    number.trim().parse().map_err(|_| failed(&format!("{number:?}")))
}

fn unprivileged(passwd: &str, name: &str) -> Option<Account> {
    let fields: Vec<&str> =
        passwd.lines().map(|line| line.split(':').collect()).find(|line: &Vec<&str>| line[0] == name)?;
    let (uid, gid) = (fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?);
    (uid != 0).then(|| Account { uid, gid, name: name.to_owned(), lowered: true })
}
