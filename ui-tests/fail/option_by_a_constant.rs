use pgq::BoxError;

#[pgq::task(queue = MAIL)]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
