use pgq::BoxError;

#[pgq::task(limit(rps = 20, name = "the stripe"))]
async fn send(to: String, tenant: String) -> Result<(), BoxError> {
    drop((to, tenant));
    Ok(())
}

fn main() {}
