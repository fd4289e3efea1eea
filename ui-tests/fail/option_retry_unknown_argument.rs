use pgq::BoxError;

#[pgq::task(retry = exponential("1s", maximum = "1h"))]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
