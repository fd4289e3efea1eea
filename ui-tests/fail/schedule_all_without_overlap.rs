use pgq::BoxError;

#[pgq::schedule("@daily", missed = "all(5)")]
async fn sync() -> Result<(), BoxError> {
    Ok(())
}

fn main() {}
