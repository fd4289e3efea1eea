use pgq::BoxError;

#[pgq::schedule("0 0 * MON-FRI *")]
async fn sync() -> Result<(), BoxError> {
    Ok(())
}

fn main() {}
