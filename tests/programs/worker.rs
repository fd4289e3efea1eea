//! A worker program with two tasks, for tests of `pgq::run`.

use pgq::Context;

#[derive(pgq::Provide)]
struct App;

impl pgq::Resources for App {
    async fn init(env: &pgq::Env) -> pgq::Result<Self> {
        if std::env::var_os("TEST_INIT_FAILS").is_some() {
            return Err(pgq::Error::init("the mail server's address is missing"));
        }
        greet::enqueue(env.client(), "from init".to_owned()).await?;
        Ok(Self)
    }
}

/// Says hello on standard output.
#[pgq::task]
async fn greet(ctx: Context<App>, name: String) -> Result<(), pgq::BoxError> {
    println!("hello {name}, job {}", ctx.job_id());
    Ok(())
}

/// Waits until it is told to end.
#[pgq::task(queue = "slow")]
async fn wait(ctx: Context) -> Result<(), pgq::BoxError> {
    println!("waiting");
    ctx.cancelled().await;
    println!("told to end");
    Ok(())
}

/// Can't be told to end.
#[pgq::task(queue = "slow")]
fn block() -> Result<(), pgq::BoxError> {
    println!("blocking");
    std::thread::sleep(std::time::Duration::from_hours(1));
    Ok(())
}

#[tokio::main]
async fn main() -> pgq::Result<()> {
    pgq::run::<App>().await
}
