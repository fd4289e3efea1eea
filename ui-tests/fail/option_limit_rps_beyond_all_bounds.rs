use pgq::BoxError;

#[pgq::task(rps = 10_000_000)]
async fn send(to: String, tenant: String) -> Result<(), BoxError> {
    drop((to, tenant));
    Ok(())
}

fn main() {}
