use pgq::BoxError;

#[pgq::task(retry = exponential("1s", factor = 1e999))]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
