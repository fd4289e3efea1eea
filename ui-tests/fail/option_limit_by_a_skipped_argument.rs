use pgq::BoxError;

#[pgq::task(limit(concurrency = 1, key = "tenant"))]
async fn send(#[serde(skip)] tenant: String, to: String) -> Result<(), BoxError> {
    drop((to, tenant));
    Ok(())
}

fn main() {}
