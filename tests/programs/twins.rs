//! A worker program with two tasks of one name.

mod other {
    #[pgq::task(name = "charge")]
    async fn refund() -> Result<(), pgq::BoxError> {
        Ok(())
    }
}

#[pgq::task]
async fn charge() -> Result<(), pgq::BoxError> {
    Ok(())
}

#[tokio::main]
async fn main() -> pgq::Result<()> {
    pgq::run::<()>().await
}
