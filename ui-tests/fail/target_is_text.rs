use pgq::BoxError;

#[pgq::task]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

async fn order() -> pgq::Result<()> {
    send::enqueue_many("postgres://", ["kim".to_owned()]).await?;
    Ok(())
}

fn main() {}
