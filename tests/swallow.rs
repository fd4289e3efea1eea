//! A link to the server on which LISTEN is taken and nothing is delivered.

use pgq::sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, split};
use tokio::net::TcpStream;

use crate::proxy::{Stream, connect, listen};

/// How to reach the server by it. It lives as long as the runtime that started it.
pub(crate) async fn without_notices(server: PgConnectOptions) -> std::io::Result<PgConnectOptions> {
    let (listener, options) = listen(&server).await?;
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let server = server.clone();
            tokio::spawn(async move { carry(near, connect(&server).await?).await });
        }
    });
    // Messages that are read as they go by aren't encrypted.
    Ok(options.ssl_mode(PgSslMode::Disable))
}

/// What the server says comes in messages: a letter, the length of the rest, and that. `A` is a notice.
async fn carry(near: TcpStream, far: Box<dyn Stream>) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = near.into_split();
    let (mut from_server, mut to_server) = split(far);
    let down = async {
        loop {
            let (letter, length) = (from_server.read_u8().await?, from_server.read_u32().await?);
            let mut rest = vec![0; length as usize - 4];
            from_server.read_exact(&mut rest).await?;
            if letter != b'A' {
                to_client.write_u8(letter).await?;
                to_client.write_u32(length).await?;
                to_client.write_all(&rest).await?;
            }
        }
    };
    tokio::select! {
        ended = copy(&mut from_client, &mut to_server) => ended.map(drop),
        ended = down => ended,
    }
}
