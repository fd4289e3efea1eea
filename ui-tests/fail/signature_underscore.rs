use pgq::BoxError;

#[pgq::task]
async fn send(_: u64) -> Result<(), BoxError> {
    Ok(())
}

fn main() {}
