use pgq::BoxError;

#[pgq::task(keep = "30")]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
