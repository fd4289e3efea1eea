use pgq::BoxError;
use pgq::sqlx::{Postgres, Transaction};

#[pgq::task]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

async fn order(mut tx: &mut Transaction<'_, Postgres>) -> pgq::Result<()> {
    send::enqueue(&mut tx, "kim".to_owned()).await?;
    Ok(())
}

fn main() {}
