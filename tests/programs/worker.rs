//! A worker program with two tasks, for tests of `pgq::run`.

#[path = "../log.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "the tests keep a log and look into it")]
mod log;

use pgq::Context;

#[derive(pgq::Provide)]
struct App;

impl pgq::Resources for App {
    async fn init(env: &pgq::Env) -> pgq::Result<Self> {
        match std::env::var("TEST_INIT").as_deref() {
            Ok("fails") => return Err(pgq::Error::init("the mail server's address is missing")),
            Ok("refused") => pgq::set_namespace("no schema", "")?,
            Ok(other) => assert_eq!(other, "fails or refused"),
            Err(_) => {}
        }
        greet::enqueue(env.client(), "from init".to_owned()).await?;
        if std::env::var_os("TEST_BARE_TARGETS").is_some() {
            enqueue_anywhere(env.pool()?).await?;
        }
        Ok(Self)
    }
}

/// Thirty times, on targets that know of no client.
async fn enqueue_anywhere(pool: &pgq::sqlx::PgPool) -> pgq::Result<()> {
    for number in 0..10 {
        greet::enqueue(pool, format!("{number} in a pool")).await?;
        greet::enqueue(&mut pool.acquire().await?, format!("{number} on a connection")).await?;
        let mut tx = pool.begin().await?;
        greet::enqueue(&mut tx, format!("{number} in a transaction")).await?;
        tx.commit().await?;
    }
    Ok(())
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

/// Has a schedule.
#[pgq::schedule("0 0 1 1 *", tz = "Europe/Berlin")]
async fn tidy() -> Result<(), pgq::BoxError> {
    Ok(())
}

/// Can't be told to end.
#[pgq::task(queue = "slow")]
fn block() -> Result<(), pgq::BoxError> {
    println!("blocking");
    std::thread::sleep(std::time::Duration::from_hours(1));
    Ok(())
}

/// Goes on until it is told something, and not by its worker.
#[pgq::task(queue = "slow")]
fn hear() -> Result<(), pgq::BoxError> {
    println!("hearing");
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}

#[tokio::main]
async fn main() -> pgq::Result<()> {
    if std::env::var_os("TEST_LOG").is_some() {
        let _ = tracing::subscriber::set_global_default(log::Log { aloud: true, ..log::Log::default() });
    }
    pgq::run::<App>().await?;
    println!("main goes on");
    Ok(())
}
