use pgq::BoxError;

struct Tx;

#[pgq::task]
async fn send(tx: &Tx, to: String) -> Result<(), BoxError> {
    let _ = (tx, to);
    Ok(())
}

fn main() {}
