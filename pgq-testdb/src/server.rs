//! A throw-away server.

mod options;
mod process;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

pub use self::options::Options;
#[cfg(feature = "docker")]
pub(crate) use self::options::settings;
use self::process::Process;
use crate::{Error, account::Account, binaries::Binaries, cluster, directory, janitor::Janitor};

/// A private PostgreSQL server with an empty cluster; stopped and removed when dropped, or when this process ends.
///
/// Everything here blocks, for a tenth of a second or two and without a runtime: in async code that must not wait, call
/// it by `spawn_blocking`. It listens on a Unix socket in a directory that only its own user can enter; its superuser is
/// `postgres`, without a password.
///
/// ```no_run
/// # fn main() -> Result<(), pgq_testdb::Error> {
/// use pgq_testdb::{Options, Server};
///
/// let server = Server::start(Options::default().fsync(true))?;
/// println!("DATABASE_URL={}", server.url());
/// server.kill()?; // as a power cut would, but for the operating system's cache
/// server.restart()?; // recovers
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    options: Options,
    binaries: Binaries,
    account: &'static Account,
    directory: PathBuf,
    log: File,
    running: Mutex<Running>,
}

/// What changes over a server's life.
#[derive(Debug)]
struct Running {
    process: Option<Process>,
    janitor: Janitor,
}

impl Server {
    /// Starts a server and waits until it takes connections: 100–200 ms (with [`fsync`](Options::fsync), on disk, up to
    /// a second), and a second more when a version of PostgreSQL is used for the first time on this machine.
    pub fn start(options: Options) -> Result<Self, Error> {
        Self::open(options, cluster::create)
    }

    /// Starts a second server that follows this one, with the same options: a copy of its data, and from then on all that it
    /// writes. `select pg_promote()` makes it a server of its own, as after a [`kill`](Self::kill) of this one. It is sure
    /// to have what was committed only while this one waits for it (`synchronous_standby_names = '*'`).
    ///
    /// It takes `pg_basebackup` beside the server's binaries, and a quarter of a second or two.
    pub fn standby(&self) -> Result<Self, Error> {
        Self::open(self.options.clone(), |data, binaries, account| {
            cluster::copy(data, binaries, account, &self.directory, self.options.port())
        })
    }

    fn open(
        options: Options,
        make: impl FnOnce(&Path, &Binaries, &Account) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let account = Account::get()?;
        let binaries = Binaries::find(options.binaries.as_deref(), account)?;
        let directory = directory::create(options.directory.as_deref(), !options.fsync, account)?;
        // Opened while the directory is still ours alone, so that as root we follow nobody's link.
        let prepared = File::create_new(directory.join("log"))
            .and_then(|log| account.own(&directory).map(|()| log))
            .map_err(|cause| Error::because(format_args!("{} can't be used", directory.display()), cause));
        let started = prepared.and_then(|log| Ok((log, Janitor::start(&directory)?)));
        let (log, janitor) = started.inspect_err(|_| drop(fs::remove_dir_all(&directory)))?;

        let running = Mutex::new(Running { process: None, janitor });
        let server = Self { options, binaries, account, directory, log, running };
        make(&server.data_directory(), &server.binaries, account)?;
        server.launch(&mut server.running())?;
        Ok(server)
    }

    /// The URL of its database `postgres`, for sqlx, libpq and child processes: `postgres://postgres@%2F…/postgres`.
    /// It stays the same over [`restart`](Self::restart).
    #[must_use]
    pub fn url(&self) -> String {
        let host = percent_encode(&self.directory.to_string_lossy());
        let port = self.options.port();
        // TLS is senseless on a Unix socket, and PGSSLMODE=require in the environment would ask for it.
        format!("postgres://postgres@{host}:{port}/postgres?sslmode=disable")
    }

    /// Its data directory, readable by root and by the server's own user.
    #[must_use]
    pub fn data_directory(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Its log, from the first start on.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.directory.join("log")
    }

    /// Stops it in order (a "fast shutdown": sessions are ended, everything is written). Does nothing if it doesn't run.
    pub fn stop(&self) -> Result<(), Error> {
        self.end(Process::stop)
    }

    /// Kills all its processes at once with `SIGKILL`: the next start is a crash recovery. Does nothing if it doesn't
    /// run.
    pub fn kill(&self) -> Result<(), Error> {
        self.end(Process::kill)
    }

    /// Starts it again on the same data, URL and settings, after a [`kill`](Self::kill) or [`stop`](Self::stop); stops
    /// it first if it runs.
    pub fn restart(&self) -> Result<(), Error> {
        self.stop()?;
        self.launch(&mut self.running())
    }

    fn launch(&self, running: &mut Running) -> Result<(), Error> {
        let Running { process, janitor } = running;
        let started =
            Process::start(|| self.command(), &self.data_directory(), &self.log_file(), |pid| janitor.watch(pid))?;
        *process = Some(started);
        Ok(())
    }

    fn end(&self, how: impl FnOnce(&mut Process, &Account) -> Result<(), Error>) -> Result<(), Error> {
        let mut running = self.running();
        let Some(mut process) = running.process.take() else { return Ok(()) };
        how(&mut process, self.account)?;
        running.janitor.watch(None)
    }

    fn command(&self) -> Result<std::process::Command, Error> {
        let mut postgres = self.account.command(self.binaries.postgres());
        postgres.arg("-D").arg(self.data_directory());
        for (name, value) in self.options.settings(&self.directory) {
            postgres.arg("-c").arg(format!("{name}={value}"));
        }
        let log = || self.log.try_clone().map_err(|cause| Error::because("the server's log can't be used", cause));
        postgres.stdout(log()?).stderr(log()?);
        Ok(postgres)
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    /// Returns when processes and directory are gone.
    fn drop(&mut self) {
        let _ = self.end(Process::quit);
        // A killed one leaves its lock file, and shared memory that only the next server on the same data finds and frees.
        if self.data_directory().join("postmaster.pid").exists() && self.launch(&mut self.running()).is_ok() {
            let _ = self.end(Process::quit);
        }
    }
}

fn percent_encode(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgConnectOptions;

    use super::percent_encode;

    #[test]
    fn sqlx_reads_a_socket_directory_out_of_the_host() -> Result<(), sqlx::Error> {
        let url = format!("postgres://postgres@{}:5432/postgres", percent_encode("/tmp/a b%2F/ü"));
        let options: PgConnectOptions = url.parse()?;
        assert_eq!(options.get_socket().and_then(|path| path.to_str()), Some("/tmp/a b%2F/ü"));
        assert_eq!(options.get_port(), 5432);
        Ok(())
    }
}
