use pgq::BoxError;

#[pgq::task]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

async fn order(mut tx: pgq::Tx) -> pgq::Result<()> {
    send::enqueue(&mut tx, "kim".to_owned()).await?;
    tx.commit().await
}

fn main() {}
