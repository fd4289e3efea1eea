use pgq::BoxError;

#[pgq::task(unique = "key")]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
