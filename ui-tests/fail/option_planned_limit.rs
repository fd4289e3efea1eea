use pgq::BoxError;

#[pgq::task(limit(concurrency = 2, key = "tenant"))]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
