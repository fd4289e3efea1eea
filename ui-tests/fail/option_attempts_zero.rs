use pgq::BoxError;

#[pgq::task(attempts = 0)]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
