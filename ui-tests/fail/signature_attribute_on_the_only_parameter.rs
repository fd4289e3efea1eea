use pgq::BoxError;

#[pgq::task]
async fn send(#[serde(default)] to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
