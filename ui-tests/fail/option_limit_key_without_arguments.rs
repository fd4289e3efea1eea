use pgq::BoxError;

#[pgq::task(limit(concurrency = 2, key = "tenant"))]
async fn sweep() -> Result<(), BoxError> {
    Ok(())
}

fn main() {}
