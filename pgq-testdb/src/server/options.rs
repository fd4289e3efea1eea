//! What kind of server.

use std::path::{Path, PathBuf};

/// How a [`Server`](crate::Server) is set up; the default is the fast one for tests of behaviour.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub(super) fsync: bool,
    pub(super) directory: Option<PathBuf>,
    pub(super) binaries: Option<PathBuf>,
    own: Vec<(String, String)>,
}

impl Options {
    /// Whether the server writes as durably as one in production, on disk. Off by default: then `fsync`,
    /// `synchronous_commit` and `full_page_writes` are off, and the data is in memory if there is room (1 GB in
    /// /dev/shm). On for crash tests and benchmarks.
    #[must_use]
    pub fn fsync(mut self, fsync: bool) -> Self {
        self.fsync = fsync;
        self
    }

    /// A setting as in postgresql.conf, without quotes: `setting("wal_level", "logical")`. It wins over ours. A server
    /// with `listen_addresses` set is reached over TCP too, by everybody on this machine and without a password.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.own.push((name.into(), value.into()));
        self
    }

    /// Where the server's directory is made, instead of memory or the temporary directory. The path must be short (a
    /// socket's path has about a hundred bytes) and open to the server's user.
    #[must_use]
    pub fn directory(mut self, parent: impl Into<PathBuf>) -> Self {
        self.directory = Some(parent.into());
        self
    }

    /// The directory of `initdb` and `postgres`, instead of `PGQ_TEST_POSTGRES_BIN` and the search: for a run over
    /// several versions.
    #[must_use]
    pub fn binaries(mut self, directory: impl Into<PathBuf>) -> Self {
        self.binaries = Some(directory.into());
        self
    }

    /// All settings; a later one wins.
    pub(super) fn settings(&self, socket_directory: &Path) -> impl Iterator<Item = (&str, String)> {
        let place = [
            ("listen_addresses", String::new()),
            ("unix_socket_directories", socket_directory.display().to_string()),
            ("port", "5432".to_owned()),
        ];
        let ours = settings(self.fsync).map(|(name, value)| (name, value.to_owned()));
        let own = self.own.iter().map(|(name, value)| (name.as_str(), value.clone()));
        place.into_iter().chain(ours).chain(own)
    }

    pub(super) fn port(&self) -> &str {
        self.own.iter().rev().find(|(name, _)| name == "port").map_or("5432", |(_, port)| port)
    }
}

/// What a server for tests is set to, wherever it runs.
pub(crate) fn settings(fsync: bool) -> impl Iterator<Item = (&'static str, &'static str)> {
    let durable = if fsync { "on" } else { "off" };
    let always = [
        ("max_connections", "300"),
        ("timezone", "UTC"),
        ("fsync", durable),
        ("synchronous_commit", durable),
        ("full_page_writes", durable),
    ];
    // In memory, a gigabyte of WAL per server (the default) would be dear.
    always.into_iter().chain((!fsync).then_some(("max_wal_size", "128MB")))
}
