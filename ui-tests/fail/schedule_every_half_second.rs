use pgq::BoxError;

#[pgq::schedule(every = "500ms")]
async fn sync() -> Result<(), BoxError> {
    Ok(())
}

fn main() {}
