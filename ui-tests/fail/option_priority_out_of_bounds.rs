use pgq::BoxError;

#[pgq::task(priority = 40_000)]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
