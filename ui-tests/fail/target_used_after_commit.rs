use pgq::BoxError;

#[pgq::task]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

async fn order(client: &pgq::Client) -> pgq::Result<()> {
    let tx = client.begin().await?;
    tx.commit().await?;
    send::enqueue(&tx, "kim".to_owned()).await?;
    Ok(())
}

fn main() {}
