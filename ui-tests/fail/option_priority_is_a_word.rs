use pgq::BoxError;

#[pgq::task(priority = high)]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
