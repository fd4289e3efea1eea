#[pgq::task(layer = "breaker")]
async fn charge() -> Result<(), pgq::BoxError> {
    Ok(())
}

fn main() {}
