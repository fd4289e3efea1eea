use pgq::BoxError;

const REGION: &str = "eu";

#[pgq::task(limit(concurrency = 2, key = REGION))]
async fn send(to: String, tenant: String) -> Result<(), BoxError> {
    drop((to, tenant));
    Ok(())
}

fn main() {}
