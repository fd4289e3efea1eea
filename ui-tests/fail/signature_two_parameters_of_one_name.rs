use pgq::BoxError;

#[pgq::task]
async fn send(to: String, to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
