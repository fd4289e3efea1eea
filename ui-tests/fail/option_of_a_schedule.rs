use pgq::BoxError;

#[pgq::task(overlap = "skip")]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
