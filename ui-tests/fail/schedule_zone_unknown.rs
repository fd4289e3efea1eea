use pgq::BoxError;

#[pgq::schedule("@daily", tz = "Europe/Atlantis")]
async fn sync() -> Result<(), BoxError> {
    Ok(())
}

fn main() {}
