use pgq::BoxError;

#[pgq::task(name = "")]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
