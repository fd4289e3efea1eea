use pgq::BoxError;

#[pgq::task(schema = Mail)]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
