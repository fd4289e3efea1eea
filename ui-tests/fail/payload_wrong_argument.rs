use pgq::BoxError;

#[pgq::task]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn enqueue(client: &pgq::Client) {
    drop(send::enqueue(client, 7));
}

fn main() {}
