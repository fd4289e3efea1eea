use pgq::BoxError;

#[pgq::task]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

async fn order(client: pgq::Client) -> pgq::Result<()> {
    send::job("kim".to_owned()).enqueue(client).await?;
    Ok(())
}

fn main() {}
