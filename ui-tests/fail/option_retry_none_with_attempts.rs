use pgq::BoxError;

#[pgq::task(retry = none, attempts = 3)]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
