use pgq::BoxError;

#[pgq::task(queue = 7)]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
