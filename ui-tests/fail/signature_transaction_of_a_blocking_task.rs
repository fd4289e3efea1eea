use pgq::BoxError;

#[pgq::task]
fn send(tx: &pgq::Tx, to: String) -> Result<(), BoxError> {
    let _ = (tx, to);
    Ok(())
}

fn main() {}
