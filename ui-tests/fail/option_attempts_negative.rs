use pgq::BoxError;

#[pgq::task(attempts = -1)]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
