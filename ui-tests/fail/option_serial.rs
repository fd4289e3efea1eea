#[pgq::task(serial)]
async fn send(to: String) -> Result<(), pgq::BoxError> {
    let _ = to;
    Ok(())
}

fn main() {}
