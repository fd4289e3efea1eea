use pgq::BoxError;

#[pgq::task(crate = "pgq")]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
