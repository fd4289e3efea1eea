use pgq::BoxError;

#[pgq::task]
async fn send(mail: Mial) -> Result<(), BoxError> {
    drop(mail);
    Ok(())
}

fn main() {}
