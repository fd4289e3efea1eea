use pgq::BoxError;

#[pgq::task(retry = 5)]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
