//! A worker program whose resources lack what a task asks for.

use pgq::Context;

struct Mailer;

#[derive(pgq::Provide)]
struct App;

impl pgq::Resources for App {
    async fn init(_: &pgq::Env) -> pgq::Result<Self> {
        Ok(Self)
    }
}

#[pgq::task]
async fn send(ctx: Context<Mailer>) -> Result<(), pgq::BoxError> {
    let _ = &*ctx;
    Ok(())
}

#[tokio::main]
async fn main() -> pgq::Result<()> {
    pgq::run::<App>().await
}
