use pgq::BoxError;

#[pgq::task(aliases = "deliver")]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
