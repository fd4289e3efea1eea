use pgq::BoxError;

#[pgq::task(limit(concurency = 2, key = "tenant"))]
async fn send(to: String, tenant: String) -> Result<(), BoxError> {
    drop((to, tenant));
    Ok(())
}

fn main() {}
