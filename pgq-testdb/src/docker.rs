//! A server in a Docker container, which ends when this process does.
//!
//! testcontainers starts the container, but nothing of it runs any more once this process is killed. So the end is
//! watched from inside: a shell in the container waits for the end of its standard input, which is a connection that
//! only this process holds, and then stops the server; the daemon removes the stopped container (`--rm`). That works
//! with a daemon elsewhere too, and needs no `docker` command.
//!
//! - This process ends, by `SIGKILL` too: the kernel closes the connection, and the shell acts.
//! - It ends before the shell is there: the container waits half a minute for one, then stops by itself.
//! - It ends before the container was even started: the next process finds it by its label, and removes it.
//! - The daemon ends: so do its containers, and it removes them when it is back.

mod image;
mod watch;

use std::{
    fs::File,
    io::Read,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use testcontainers::{
    ContainerAsync, ContainerRequest, GenericImage, ImageExt, TestcontainersError,
    bollard::Docker,
    core::{IntoContainerPort, Mount, client::docker_client_instance, logs::LogFrame},
    runners::AsyncRunner,
};
use tokio::time::{Instant, sleep, timeout};

use self::{image::Image, watch::Watch};
use crate::{Error, owner, server, shared};

/// A socket may be there and start its daemon first.
const PATIENCE_WITH_DAEMON: Duration = Duration::from_secs(15);
const PATIENCE_WITH_SERVER: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);

const PORT: u16 = 5432;

/// Where the server keeps its data, in memory: on overlayfs a new database took 200 ms, here it takes 20.
const DATA: &str = "/pgq-testdb";

/// A running server. It belongs into a `static`: it is the end of the process that ends it.
pub(crate) struct Container {
    url: String,
    _running: ContainerAsync<GenericImage>,
    _watch: Watch,
}

impl Container {
    /// Starts one if the daemon answers and has the image; blocks for a second or two.
    pub(crate) fn start() -> Result<Self, Error> {
        shared::block_on(Self::run())
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    async fn run() -> Result<Self, Error> {
        let docker = reach().await?;
        let image = Image::chosen();
        let entrypoint = image.entrypoint(&docker).await?;
        watch::sweep(&docker).await?;

        let (password, log) = (password()?, Log::default());
        let failed = |cause| Error::because(format_args!("a container of {image} did not start"), cause);
        let container = request(&image, entrypoint, &password, &log).start().await.map_err(failed)?;
        let watch = Watch::start(&docker, container.id()).await?;
        let url = url(&container, &password).await.map_err(failed)?;
        wait_until_ready(&url, &container, &log).await?;
        Ok(Self { url, _running: container, _watch: watch })
    }
}

async fn reach() -> Result<Docker, Error> {
    fn failed(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::because("no daemon answers", cause)
    }
    let docker = docker_client_instance().await.map_err(failed)?;
    timeout(PATIENCE_WITH_DAEMON, docker.ping()).await.map_err(failed)?.map_err(failed)?;
    Ok(docker)
}

fn request(image: &Image, entrypoint: Vec<String>, password: &str, log: &Log) -> ContainerRequest<GenericImage> {
    let guarded = ["-c", watch::GUARD, "sh"].map(str::to_owned).into_iter().chain(entrypoint);
    let settings = server::settings(false).flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]);
    image
        .generic()
        .with_exposed_port(PORT.tcp())
        .with_entrypoint("sh")
        .with_cmd(guarded.chain(["postgres".to_owned()]).chain(settings))
        .with_mount(Mount::tmpfs_mount(DATA))
        .with_env_var("PGDATA", DATA)
        .with_env_var("POSTGRES_PASSWORD", password)
        // In the clear, to a server of our own: SCRAM takes an unoptimized client 40 ms for each connection.
        .with_env_var("POSTGRES_HOST_AUTH_METHOD", "password")
        .with_env_var("POSTGRES_INITDB_ARGS", "--no-sync --encoding=UTF8 --locale=C.UTF-8")
        .with_label(watch::LABEL, owner::name(0))
        .with_log_consumer(log.consumer())
        .with_host_config_modifier(|host| host.auto_remove = Some(true))
}

/// The port is open to the network, because a test may itself run in a container beside this one: hence a password.
fn password() -> Result<String, Error> {
    let mut random = [0; size_of::<u128>()];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut random));
    read.map_err(|cause| Error::because("there is no /dev/urandom", cause))?;
    Ok(format!("{:x}", u128::from_ne_bytes(random)))
}

async fn url(container: &ContainerAsync<GenericImage>, password: &str) -> Result<String, TestcontainersError> {
    let port = container.get_host_port_ipv4(PORT.tcp()).await?;
    let host = match container.get_host().await?.to_string() {
        // The port is that of IPv4; the name may stand for ::1 first.
        local if local == "localhost" => "127.0.0.1".to_owned(),
        other => other,
    };
    Ok(format!("postgres://postgres:{password}@{host}:{port}/postgres?sslmode=disable"))
}

/// By trying, not by its log: the official image starts a server twice, and the first one isn't on the network.
async fn wait_until_ready(url: &str, container: &ContainerAsync<GenericImage>, log: &Log) -> Result<(), Error> {
    let options: PgConnectOptions = shared::options(url)?;
    let deadline = Instant::now() + PATIENCE_WITH_SERVER;
    loop {
        let why = match timeout(Duration::from_secs(5), PgConnection::connect_with(&options)).await {
            Ok(Ok(connection)) => {
                let _ = connection.close().await;
                return Ok(());
            }
            Ok(Err(error)) => error.to_string(),
            Err(late) => late.to_string(),
        };
        if !container.is_running().await.unwrap_or(false) {
            return Err(Error::new(format!("its server ended before it took connections: {}", log.tail())));
        }
        if Instant::now() > deadline {
            let said = log.tail();
            return Err(Error::new(format!(
                "its server takes no connections after {PATIENCE_WITH_SERVER:?} ({why}): {said}"
            )));
        }
        sleep(POLL).await;
    }
}

/// What the container has said, for a message: its own log goes with it.
#[derive(Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn consumer(&self) -> impl Fn(&LogFrame) + Send + Sync + 'static {
        let said = Arc::clone(&self.0);
        move |frame| said.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(frame.bytes())
    }

    fn tail(&self) -> String {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }
}
