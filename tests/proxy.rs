//! A link to the server that a test can spoil, and lead to another server.

use std::time::Duration;

use pgq::sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// How long a frozen link is silent: then it breaks, as where somebody on the way says at last that he has forgotten it.
const SILENCE: Duration = Duration::from_secs(10);

/// A proxy in front of a server. It lives as long as the runtime that started it.
pub(crate) struct Proxy {
    options: PgConnectOptions,
    server: watch::Sender<PgConnectOptions>,
    frozen: watch::Sender<u64>,
}

impl Proxy {
    pub(crate) async fn to(server: PgConnectOptions) -> std::io::Result<Self> {
        let (listener, options) = listen(&server).await?;
        let frozen = watch::Sender::new(0);
        let freeze = frozen.clone();
        let (server, target) = watch::channel(server);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let server = target.borrow().clone();
                tokio::spawn(forward(near, server, freeze.subscribe()));
            }
        });
        Ok(Self { options, server, frozen })
    }

    /// How to reach the server through it.
    pub(crate) fn options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// New connections lead to another server.
    pub(crate) fn lead_to(&self, server: PgConnectOptions) {
        self.server.send_replace(server);
    }

    /// From now on the connections that there are carry nothing any more, and stay open for a while; new ones do.
    pub(crate) fn freeze(&self) {
        self.frozen.send_modify(|times| *times += 1);
    }
}

/// Where to be instead of a server, and how that is reached.
pub(crate) async fn listen(server: &PgConnectOptions) -> std::io::Result<(TcpListener, PgConnectOptions)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    // A socket can't be taken back from options that have one.
    let options = match server.get_socket() {
        None => server.clone(),
        Some(_) => PgConnectOptions::new_without_pgpass()
            .database(server.get_database().unwrap_or_default())
            .username(server.get_username()),
    };
    Ok((listener, options.host("127.0.0.1").port(port)))
}

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(crate) async fn connect(server: &PgConnectOptions) -> std::io::Result<Box<dyn Stream>> {
    match server.get_socket() {
        Some(directory) => {
            let socket = directory.join(format!(".s.PGSQL.{}", server.get_port()));
            Ok(Box::new(UnixStream::connect(socket).await?))
        }
        None => Ok(Box::new(TcpStream::connect((server.get_host(), server.get_port())).await?)),
    }
}

async fn forward(mut near: TcpStream, server: PgConnectOptions, mut frozen: watch::Receiver<u64>) {
    let Ok(mut far) = connect(&server).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => {}
        _ = frozen.changed() => tokio::time::sleep(SILENCE).await,
    }
}
