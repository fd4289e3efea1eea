use pgq::BoxError;

#[pgq::schedule("@daily")]
async fn sync(_to: String) -> Result<(), BoxError> {
    Ok(())
}

fn main() {}
