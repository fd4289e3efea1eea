use pgq::BoxError;

#[pgq::task(per_worker = 0)]
async fn send(to: String, tenant: String) -> Result<(), BoxError> {
    drop((to, tenant));
    Ok(())
}

fn main() {}
