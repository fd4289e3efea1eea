use pgq::BoxError;

#[pgq::task(name = "send mail")]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
