use pgq::BoxError;

#[pgq::task(rps = 0, burst = 10)]
async fn send(to: String, tenant: String) -> Result<(), BoxError> {
    drop((to, tenant));
    Ok(())
}

fn main() {}
