use pgq::BoxError;

#[pgq::task(queue("mail"))]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
