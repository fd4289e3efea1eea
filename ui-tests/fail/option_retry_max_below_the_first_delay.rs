use pgq::BoxError;

#[pgq::task(retry = exponential("2m", max = "1m"))]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
