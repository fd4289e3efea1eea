use pgq::BoxError;

#[pgq::task(timeout = "0s")]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
