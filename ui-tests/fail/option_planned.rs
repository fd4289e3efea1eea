use pgq::BoxError;

#[pgq::task(tags = ["mail"])]
async fn send(to: String, tenant: String) -> Result<(), BoxError> {
    drop((to, tenant));
    Ok(())
}

fn main() {}
