use pgq::BoxError;

#[pgq::task(timeout = 30)]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
