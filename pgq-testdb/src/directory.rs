//! Where a server's files go: in memory if nothing has to last and there is room, otherwise the temporary directory.

use std::{
    env,
    fs::{self, DirBuilder},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{self, Path, PathBuf},
    process::{self, Command},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{Error, account::Account};

/// What a suite of tests may well write; Docker's default /dev/shm has 64 MB.
const ROOM_IN_KILOBYTES: u64 = 1024 * 1024;

/// The shorter of the limits on a socket's path (macOS: 104 bytes with the closing zero, Linux: 108).
const LONGEST_SOCKET_PATH: usize = 103;

/// Makes a directory of the account's own, closed to everybody else, in which a socket's path is short enough.
pub(crate) fn create(chosen: Option<&Path>, in_memory: bool, account: &Account) -> Result<PathBuf, Error> {
    let mut reasons = Vec::new();
    for parent in parents(chosen, in_memory) {
        match create_in(&parent, account) {
            Ok(directory) => return Ok(directory),
            Err(why) => reasons.push(format!("{}: {why}", parent.display())),
        }
    }
    Err(Error::new(format!("no place for the server's files ({})", reasons.join("; "))))
}

fn parents(chosen: Option<&Path>, in_memory: bool) -> Vec<PathBuf> {
    if let Some(chosen) = chosen {
        // The server's working directory isn't ours.
        return vec![path::absolute(chosen).unwrap_or_else(|_| chosen.to_owned())];
    }
    let memory = PathBuf::from("/dev/shm");
    let mut parents = Vec::new();
    if in_memory && free_kilobytes(&memory).is_some_and(|free| free >= ROOM_IN_KILOBYTES) {
        parents.push(memory);
    }
    parents.extend(temporary());
    parents
}

/// The temporary directory, and a last resort for one that is too long a path or inside a closed home.
fn temporary() -> [PathBuf; 2] {
    [env::temp_dir(), PathBuf::from("/tmp")]
}

/// By `df`, because std has no statvfs.
fn free_kilobytes(path: &Path) -> Option<u64> {
    let output = Command::new("df").arg("-Pk").arg(path).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}

fn create_in(parent: &Path, account: &Account) -> io::Result<PathBuf> {
    if !account.reaches(parent) {
        return Err(io::Error::other(format!("out of reach for user `{}`", account.name())));
    }
    loop {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let directory = parent.join(format!("pgq-testdb-{}-{:x}", process::id(), now.subsec_nanos()));
        if directory.join(".s.PGSQL.65535").as_os_str().len() > LONGEST_SOCKET_PATH {
            return Err(io::Error::other("too long for a socket's path"));
        }
        match make_private(&directory) {
            Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| directory),
        }
    }
}

/// The directory that keeps what `initdb` made, for this account's servers in all processes and all runs.
pub(crate) fn cache(account: &Account) -> Result<PathBuf, Error> {
    let parent = temporary().into_iter().find(|parent| account.reaches(parent));
    let parent = parent.ok_or_else(|| Error::new(format!("no temporary directory for user `{}`", account.name())))?;
    let cache = parent.join(format!("pgq-testdb-cache-{}", account.uid));
    let failed = |cause| Error::because(format_args!("{} can't be used", cache.display()), cause);
    match make_private(&cache) {
        Err(there) if there.kind() == io::ErrorKind::AlreadyExists => {}
        made => made.map_err(failed)?,
    }
    // Whoever can write below the temporary directory could have put it there before us.
    let found = fs::symlink_metadata(&cache).map_err(failed)?;
    if !found.is_dir() || found.uid() != account.uid && found.uid() != 0 || found.mode() & 0o022 != 0 {
        return Err(failed(io::Error::other("it isn't ours: remove it")));
    }
    if found.uid() != account.uid {
        account.own(&cache).map_err(failed)?;
    }
    Ok(cache)
}

fn make_private(directory: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(directory)
}
