use pgq::BoxError;

#[pgq::task(keep = "200000d")]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
