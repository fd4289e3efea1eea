use pgq::BoxError;

#[pgq::task("mail")]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
