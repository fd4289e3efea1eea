use pgq::BoxError;

#[pgq::schedule("every 5 minutes")]
async fn sync() -> Result<(), BoxError> {
    Ok(())
}

fn main() {}
