use pgq::BoxError;

#[pgq::schedule("*/90 * * * *")]
async fn sync() -> Result<(), BoxError> {
    Ok(())
}

fn main() {}
