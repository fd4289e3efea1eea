use pgq::BoxError;

#[pgq::task(queue)]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
