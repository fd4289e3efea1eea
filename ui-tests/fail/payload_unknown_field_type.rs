use pgq::BoxError;

#[pgq::task]
async fn send(mail: Mial, to: String) -> Result<(), BoxError> {
    drop((mail, to));
    Ok(())
}

fn main() {}
