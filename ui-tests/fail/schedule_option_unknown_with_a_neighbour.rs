use pgq::BoxError;

#[pgq::schedule("@daily", mised = "skip")]
async fn sync() -> Result<(), BoxError> {
    Ok(())
}

fn main() {}
