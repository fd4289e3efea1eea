use pgq::BoxError;
use pgq::sqlx::{Postgres, Transaction};

#[pgq::task]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

async fn order(tx: &mut Transaction<'_, Postgres>) -> pgq::Result<()> {
    send::enqueue(tx, "kim".to_owned()).await?;
    send::enqueue(tx, "lee".to_owned()).await?;
    Ok(())
}

fn main() {}
