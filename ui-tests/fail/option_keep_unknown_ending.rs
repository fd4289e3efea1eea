use pgq::BoxError;

#[pgq::task(keep(complete = "1d"))]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
