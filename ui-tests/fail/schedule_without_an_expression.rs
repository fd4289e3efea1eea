use pgq::BoxError;

#[pgq::schedule(queue = "mail")]
async fn sync() -> Result<(), BoxError> {
    Ok(())
}

fn main() {}
