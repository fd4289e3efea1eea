use pgq::BoxError;

#[pgq::task(concurrency = 0)]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
