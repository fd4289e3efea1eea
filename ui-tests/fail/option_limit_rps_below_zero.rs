use pgq::BoxError;

#[pgq::task(rps = -1.0)]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
