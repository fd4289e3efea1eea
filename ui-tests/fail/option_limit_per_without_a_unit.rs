use pgq::BoxError;

#[pgq::task(rps = 100, per = 60)]
async fn send(to: String, tenant: String) -> Result<(), BoxError> {
    drop((to, tenant));
    Ok(())
}

fn main() {}
