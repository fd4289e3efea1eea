#[pgq::task(on_error = "what_to_do")]
async fn charge() -> Result<(), pgq::BoxError> {
    Ok(())
}

fn main() {}
