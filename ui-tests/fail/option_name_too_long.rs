use pgq::BoxError;

#[pgq::task(
    name = "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
)]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
