use pgq::BoxError;

#[pgq::task]
async fn send(tx: &mut pgq::Tx, to: String) -> Result<(), BoxError> {
    let _ = (tx, to);
    Ok(())
}

fn main() {}
