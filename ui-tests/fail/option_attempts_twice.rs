use pgq::BoxError;

#[pgq::task(attempts = 3, retry = fixed("30s", attempts = 4))]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
