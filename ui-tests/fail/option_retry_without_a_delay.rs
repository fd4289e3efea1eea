use pgq::BoxError;

#[pgq::task(retry = fixed())]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
