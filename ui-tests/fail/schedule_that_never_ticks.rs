use pgq::BoxError;

#[pgq::schedule("0 0 30 2 *")]
async fn sync() -> Result<(), BoxError> {
    Ok(())
}

fn main() {}
