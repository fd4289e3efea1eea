use pgq::BoxError;

#[pgq::task(queue = "mail", queue = "post")]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
