use pgq::BoxError;

#[pgq::schedule("@daily", missed = "never")]
async fn sync() -> Result<(), BoxError> {
    Ok(())
}

fn main() {}
