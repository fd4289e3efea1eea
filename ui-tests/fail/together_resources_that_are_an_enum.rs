use pgq::{BoxError, Context, Env, Resources};

#[derive(pgq::Provide)]
enum App {
    Live,
    Dry,
}

impl Resources for App {
    async fn init(_: &Env) -> pgq::Result<Self> {
        Ok(App::Live)
    }
}

#[pgq::task]
async fn send(ctx: Context<App>) -> Result<(), BoxError> {
    println!("{}", matches!(*ctx, App::Dry));
    Ok(())
}

fn tasks() -> pgq::Tasks<App> {
    pgq::tasks![send]
}

fn main() {}
