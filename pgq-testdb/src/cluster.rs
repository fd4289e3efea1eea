//! A new data directory: made by `initdb` once (half a second to a second), copied for each server (60 ms).

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use crate::{Error, account::Account, binaries::Binaries, directory};

/// Puts a pristine cluster at `data`, which must not exist yet.
pub(crate) fn create(data: &Path, binaries: &Binaries, account: &Account) -> Result<(), Error> {
    let pristine = pristine(binaries, account)?;
    // `cp` as the account, not std's copy: the files have to be the account's.
    Account::run(account.command("cp").arg("-R").arg(pristine).arg(data), "copying a new cluster")
}

/// Puts a copy at `data`, which must not exist yet, of the cluster whose server listens in `socket_directory`; started, it
/// follows that one.
pub(crate) fn copy(
    data: &Path,
    binaries: &Binaries,
    account: &Account,
    socket_directory: &Path,
    port: &str,
) -> Result<(), Error> {
    let mut copy = account.command(binaries.pg_basebackup()?);
    copy.arg("--pgdata").arg(data).arg("--host").arg(socket_directory).args(["--port", port, "--username", "postgres"]);
    copy.args(["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync"]);
    Account::run(&mut copy, "pg_basebackup")
}

fn pristine(binaries: &Binaries, account: &Account) -> Result<PathBuf, Error> {
    let cache = directory::cache(account)?;
    let pristine = cache.join(version(binaries, account)?);
    if is_whole(&pristine) {
        return Ok(pristine);
    }
    // The lock is on the directory itself: as root we open no file where another user could have put a link.
    let failed = |cause| Error::because(format_args!("{} can't be used", cache.display()), cause);
    let lock = File::open(&cache).map_err(failed)?;
    lock.lock().map_err(failed)?;
    if !is_whole(&pristine) {
        let unfinished = pristine.with_extension("unfinished");
        for leftover in [&pristine, &unfinished].into_iter().filter(|path| path.exists()) {
            fs::remove_dir_all(leftover).map_err(failed)?;
        }
        initdb(&unfinished, binaries, account)?;
        fs::rename(&unfinished, &pristine).map_err(failed)?;
    }
    Ok(pristine)
}

/// A cleaner of temporary files may have taken all files (they age together) and left the directories.
fn is_whole(cluster: &Path) -> bool {
    cluster.join("PG_VERSION").exists() && cluster.join("global/pg_control").exists()
}

/// What the binaries call themselves, packager and all, as a file name.
fn version(binaries: &Binaries, account: &Account) -> Result<String, Error> {
    let postgres = binaries.postgres();
    let failed = |why: String| Error::new(format!("`{} --version` failed: {why}", postgres.display()));
    let output = account.command(&postgres).arg("--version").output().map_err(|cause| failed(cause.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let version = String::from_utf8_lossy(&output.stdout);
    Ok(version.trim().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect())
}

fn initdb(data: &Path, binaries: &Binaries, account: &Account) -> Result<(), Error> {
    let run = |locale: &str| {
        let mut initdb = account.command(binaries.initdb());
        initdb.arg("--pgdata").arg(data).args(["--username=postgres", "--auth=trust", "--no-sync"]);
        initdb.args(["--encoding=UTF8", locale]);
        Account::run(&mut initdb, "initdb")
    };
    // macOS and old glibc have no C.UTF-8; initdb removes what it made when it fails.
    let made = run("--locale=C.UTF-8").or_else(|_| run("--locale=C"));
    made.map_err(|why| Error::because("no new cluster", why))
}
