use pgq::BoxError;

#[pgq::task(aliases = ["send"])]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
