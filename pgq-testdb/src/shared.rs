//! The server that all tests of this process share: the one that they were told of, or one of their own.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use sqlx::{AssertSqlSafe, Connection, PgConnection, postgres::PgConnectOptions};

use crate::{
    Error, Options, Server,
    account::Account,
    binaries::{self, Binaries},
    docker::Container,
    owner,
    way::Way,
};

/// What does without a server of our own. [`Server`] doesn't say it: it is asked for by programs that don't look at the variable.
const EXTERNAL: &str = "set PGQ_TEST_DATABASE_URL to a server on which the role may create databases";

pub(crate) enum Shared {
    /// Not ours: its URL.
    External(String),
    Private(Server),
    Container(Box<Container>),
}

impl Shared {
    /// Starts or finds it at first use, whichever thread and runtime comes first; an error is the same for all.
    pub(crate) async fn get() -> Result<&'static Self, Error> {
        static SHARED: OnceLock<Result<Shared, Error>> = OnceLock::new();
        if SHARED.get().is_none() {
            let start = tokio::task::spawn_blocking(|| SHARED.get_or_init(Self::start).is_ok());
            start.await.map_err(|cause| Error::because("the test server's start was broken off", cause))?;
        }
        SHARED.get_or_init(Self::start).as_ref().map_err(Clone::clone)
    }

    fn start() -> Result<Self, Error> {
        match Way::chosen()? {
            Some(Way::Url(url)) => Self::external(url),
            Some(Way::Binaries) => Self::private(),
            Some(Way::Docker) => Self::container()
                .map_err(|why| Error::because("PGQ_TEST_POSTGRES asks for Docker, which can't help", why)),
            None => Self::found(),
        }
    }

    fn external(url: String) -> Result<Self, Error> {
        let external = Self::External(url);
        block_on(external.sweep())?;
        Ok(external)
    }

    fn private() -> Result<Self, Error> {
        Server::start(Options::default()).map(Self::Private).map_err(|error| error.or(EXTERNAL))
    }

    fn container() -> Result<Self, Error> {
        Container::start().map(|container| Self::Container(Box::new(container)))
    }

    /// Docker only where there are no binaries at all: ones that don't work are an error to be told of.
    fn found() -> Result<Self, Error> {
        let binaries = Account::get().and_then(|account| Binaries::search(None, account));
        match binaries.map_err(|error| error.or(EXTERNAL))? {
            Some(_) => Self::private(),
            None => Self::container().map_err(nothing_found),
        }
    }

    /// Creates a database as a copy of `template`, and gives its name.
    pub(crate) async fn create(&self, template: &str) -> Result<String, Error> {
        static COUNT: AtomicU64 = AtomicU64::new(1);
        let name = owner::name(COUNT.fetch_add(1, Ordering::Relaxed));
        let mut connection = self.connect().await?;
        // Half the time of the default when memory or fsync=off makes its two checkpoints cheap: so on ours only.
        let by_file = !matches!(self, Self::External(_)) && connection.server_version_num() >= Some(15_00_00);
        let strategy = if by_file { "strategy file_copy" } else { "" };
        let sql = format!(r#"create database "{name}" template "{template}" {strategy}"#);
        let created = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await;
        created.map_err(|cause| Error::because("the test database could not be created", cause))?;
        let _ = connection.close().await;
        Ok(name)
    }

    /// Returns when it is gone; blocks. An error has nowhere to go, and the next run's sweep sees to what is left.
    pub(crate) fn drop_database(&self, name: &str) {
        let _ = block_on(async {
            let mut connection = self.connect().await?;
            drop_database(name, &mut connection).await
        });
    }

    /// A connection to the maintenance database. Not kept: it would be bound to the runtime of one test.
    pub(crate) async fn connect(&self) -> Result<PgConnection, Error> {
        let connection = PgConnection::connect_with(&options(&self.url())?).await;
        connection.map_err(|cause| Error::because(format_args!("{} can't be reached", self.kind()), cause))
    }

    pub(crate) fn url_of(&self, database: &str) -> String {
        with_database(&self.url(), database)
    }

    fn url(&self) -> String {
        match self {
            Self::External(url) => url.clone(),
            Self::Private(server) => server.url(),
            Self::Container(container) => container.url().to_owned(),
        }
    }

    async fn sweep(&self) -> Result<(), Error> {
        let mut connection = self.connect().await?;
        let ours: Vec<String> = sqlx::query_scalar("select datname::text from pg_database where datname like $1")
            .bind(owner::name_pattern())
            .fetch_all(&mut connection)
            .await
            .map_err(|cause| Error::because("the server's databases could not be listed", cause))?;
        for stale in ours.iter().filter(|name| owner::is_stale(name)) {
            // Another process may be sweeping too: whoever comes second finds it gone.
            let _ = drop_database(stale, &mut connection).await;
        }
        Ok(())
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::External(_) => "the server of PGQ_TEST_DATABASE_URL",
            Self::Private(_) => "the private test server",
            Self::Container(_) => "the test server in Docker",
        }
    }
}

/// The one message about everything that would do.
fn nothing_found(why_not_docker: Error) -> Error {
    Error::because(format_args!("{}, or {EXTERNAL}. Docker can't help either", binaries::MISSING), why_not_docker)
}

async fn drop_database(name: &str, connection: &mut PgConnection) -> Result<(), Error> {
    let sql = format!(r#"drop database if exists "{name}" with (force)"#);
    let dropped = sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await;
    dropped.map(drop).map_err(|cause| Error::because("the test database could not be dropped", cause))
}

/// On a thread and a runtime of its own: the caller may be inside a runtime, where one mustn't block on another.
pub(crate) fn block_on<T: Send>(work: impl Future<Output = Result<T, Error>> + Send) -> Result<T, Error> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|cause| Error::because("no runtime", cause))?.block_on(work)
    };
    thread::scope(|scope| scope.spawn(run).join()).unwrap_or_else(|_| Err(Error::new("a helper thread panicked")))
}

pub(crate) fn options(url: &str) -> Result<PgConnectOptions, Error> {
    url.parse().map_err(|cause: sqlx::Error| {
        Error::because("expected a URL like postgres://user@host/postgres in PGQ_TEST_DATABASE_URL", cause)
    })
}

/// The same server, another database: it stands as the path, or as a parameter that would win over the path.
fn with_database(url: &str, database: &str) -> String {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let authority = base.find("://").map_or(0, |scheme| scheme + 3);
    let end = base[authority..].find('/').map_or(base.len(), |slash| authority + slash);
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("dbname=")).collect();
    let mark = if kept.is_empty() { "" } else { "?" };
    format!("{}/{database}{mark}{}", &base[..end], kept.join("&"))
}

#[cfg(test)]
mod tests {
    use super::{nothing_found, with_database};
    use crate::Error;

    #[test]
    fn one_message_names_everything_that_would_do() {
        let message = nothing_found(Error::new("it has no image: `docker pull postgres`")).to_string();
        for way in ["apt-get install postgresql", "PGQ_TEST_POSTGRES_BIN", "PGQ_TEST_DATABASE_URL", "docker pull"] {
            assert!(message.contains(way), "{message}");
        }
    }

    #[test]
    fn a_url_can_be_turned_to_another_database() {
        for (url, turned) in [
            ("postgres://u:p@h:5433/old?sslmode=disable", "postgres://u:p@h:5433/new?sslmode=disable"),
            ("postgresql://h", "postgresql://h/new"),
            ("postgres://u@%2Ftmp%2Fx:5432/old", "postgres://u@%2Ftmp%2Fx:5432/new"),
            ("postgres:///old?host=/tmp&dbname=other", "postgres:///new?host=/tmp"),
            ("postgres:///?host=/tmp", "postgres:///new?host=/tmp"),
        ] {
            assert_eq!(with_database(url, "new"), turned);
        }
    }
}
