//! A PgBouncer in transaction mode before the server that the tests share.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use pgq::sqlx::PgPool;
use pgq::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use pgq_testdb::{Database, Server};

/// Few connections for many clients, so that each soon has somebody else's.
const CONNECTIONS: u32 = 3;

/// Starts it, kills it and starts it again for every line that it is sent, and ends it when this process is gone, by whatever
/// end. $1 the server's directory, $2 its port, $3 the pool's size.
const SCRIPT: &str = r#"
bouncer=${PGQ_TEST_PGBOUNCER:-$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v pgbouncer)}
if [ -z "$bouncer" ]; then
    echo 'no PgBouncer to test with: install it (Debian, Ubuntu: `apt-get install pgbouncer`; Fedora: `dnf install pgbouncer`;' \
         'macOS: `brew install pgbouncer`), or name the program in PGQ_TEST_PGBOUNCER' >&2
    exit 1
fi
directory=$(mktemp -d "${TMPDIR:-/tmp}/pgq-pooler.XXXXXX") || exit 1
cat >"$directory/ini" <<INI
[databases]
* = host=$1 port=$2 user=postgres
[pgbouncer]
listen_port = 6432
unix_socket_dir = $directory
auth_type = any
pool_mode = transaction
default_pool_size = $3
max_client_conn = 10000
server_login_retry = 1
$PGQ_TEST_PGBOUNCER_SETTINGS
INI
start() {
    rm -f "$directory/.s.PGSQL.6432"
    "$bouncer" -q "$directory/ini" >"$directory/log" 2>&1 &
    until [ -S "$directory/.s.PGSQL.6432" ]; do
        kill -0 $! 2>/dev/null || { cat "$directory/log" >&2; rm -rf "$directory"; exit 1; }
        sleep 0.02
    done
    echo "$directory"
}
start
while read -r line; do
    kill -KILL $!
    wait
    start
done
kill $!
wait
rm -rf "$directory"
"#;

pub(crate) struct Bouncer {
    directory: String,
    told: BufReader<ChildStdout>,
    /// The shell waits for the end of its pipe.
    shell: Child,
}

impl Bouncer {
    /// The one of this process.
    fn get(server: &PgConnectOptions) -> &'static Self {
        static BOUNCER: OnceLock<Bouncer> = OnceLock::new();
        BOUNCER.get_or_init(|| Self::start(server))
    }

    /// One of a test's own.
    pub(crate) fn before(database: &Database) -> Self {
        Self::start(&database.options())
    }

    /// One before a test's own server.
    pub(crate) fn before_server(server: &Server) -> Self {
        Self::start(&server.url().parse().unwrap())
    }

    /// Kills it, and starts it again.
    pub(crate) fn restart(&mut self) {
        self.shell.stdin.as_mut().unwrap().write_all(b"again\n").unwrap();
        self.told.read_line(&mut String::new()).unwrap();
    }

    fn start(server: &PgConnectOptions) -> Self {
        let socket = server.get_socket().expect("these tests start a server of their own: unset PGQ_TEST_DATABASE_URL");
        let (port, size) = (server.get_port().to_string(), CONNECTIONS.to_string());
        let owner = Path::new(socket).metadata().unwrap();
        let mut shell = Command::new("sh");
        // Like the server it doesn't run as root, and only the server's user may enter its directory.
        shell.uid(owner.uid()).gid(owner.gid()).current_dir("/").process_group(0);
        shell.args(["-c", SCRIPT, "pooler"]).arg(socket).args([port, size]);
        let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut directory, mut told) = (String::new(), BufReader::new(shell.stdout.take().unwrap()));
        told.read_line(&mut directory).unwrap();
        if directory.is_empty() {
            let mut why = String::new();
            shell.stderr.take().unwrap().read_to_string(&mut why).unwrap();
            panic!("PgBouncer doesn't start: {why}");
        }
        Self { directory: directory.trim().to_owned(), told, shell }
    }

    /// Many more connections to it than it has to the server.
    pub(crate) fn pool(&self, database: &Database) -> PgPool {
        self.pool_of(database.name())
    }

    pub(crate) fn pool_of(&self, database: &str) -> PgPool {
        let options = PgConnectOptions::new_without_pgpass().socket(&self.directory).port(6432);
        let options = options.username("postgres").database(database).extra_float_digits(None);
        PgPoolOptions::new().max_connections(10).connect_lazy_with(options)
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// How a program reaches a database through it.
pub(crate) fn url(database: &Database) -> String {
    let directory = Bouncer::get(&database.options()).directory.replace('/', "%2F");
    format!("postgres://postgres@{directory}:6432/{}?sslmode=disable", database.name())
}

/// As [`Bouncer::pool`], of the one that all tests share.
pub(crate) fn pool(database: &Database) -> PgPool {
    Bouncer::get(&database.options()).pool(database)
}
