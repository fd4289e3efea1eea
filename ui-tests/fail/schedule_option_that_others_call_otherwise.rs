use pgq::BoxError;

#[pgq::schedule("@daily", timezone = "Europe/Berlin")]
async fn sync() -> Result<(), BoxError> {
    Ok(())
}

fn main() {}
