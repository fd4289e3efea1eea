use pgq::BoxError;

#[pgq::task(concurrency = 5, burst = 10)]
async fn send(to: String, tenant: String) -> Result<(), BoxError> {
    drop((to, tenant));
    Ok(())
}

fn main() {}
