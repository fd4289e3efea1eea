use pgq::BoxError;

#[pgq::task(database = "mail")]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
