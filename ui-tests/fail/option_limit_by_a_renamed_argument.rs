use pgq::BoxError;

#[pgq::task(limit(concurrency = 2, key = "tenant"))]
async fn send(to: String, #[serde(default, rename = "org")] tenant: String) -> Result<(), BoxError> {
    drop((to, tenant));
    Ok(())
}

fn main() {}
