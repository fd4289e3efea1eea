use pgq::BoxError;

#[pgq::schedule("0 25 * * *")]
async fn sync() -> Result<(), BoxError> {
    Ok(())
}

fn main() {}
