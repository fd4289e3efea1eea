use pgq::BoxError;

const NIGHTLY: &str = "30 2 * * *";

#[pgq::schedule(NIGHTLY, tz = "Europe/Berlin")]
async fn sync() -> Result<(), BoxError> {
    Ok(())
}

fn main() {}
