use pgq::BoxError;

#[pgq::task(retry = exponentail("1s"))]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
