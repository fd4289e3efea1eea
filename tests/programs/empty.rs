//! A worker program without a task.

#[tokio::main]
async fn main() -> pgq::Result<()> {
    pgq::run::<()>().await
}
