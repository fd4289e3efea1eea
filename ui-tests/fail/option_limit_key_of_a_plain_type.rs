use pgq::BoxError;

#[pgq::task(limit(concurrency = 2, key = "tenant"))]
async fn send(tenant: String) -> Result<(), BoxError> {
    drop(tenant);
    Ok(())
}

fn main() {}
