use pgq::{BoxError, Context, Tasks};

struct Mailer;
struct Shop;

#[derive(pgq::Provide)]
struct App {
    mailer: Mailer,
}

#[pgq::task]
async fn send(ctx: Context<Mailer>) -> Result<(), BoxError> {
    let _ = ctx;
    Ok(())
}

#[pgq::task]
async fn charge(ctx: Context<Shop>) -> Result<(), BoxError> {
    let _ = ctx;
    Ok(())
}

fn tasks() -> Tasks<App> {
    pgq::tasks![send, charge]
}

fn main() {}
