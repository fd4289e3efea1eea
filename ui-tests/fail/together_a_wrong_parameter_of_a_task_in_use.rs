use pgq::{BoxError, Client, Context};

#[pgq::task]
async fn send(ctx: Context, to: &str) -> Result<u8, BoxError> {
    println!("{to} {}", ctx.job_id());
    Ok(1)
}

#[pgq::task]
async fn remind(ctx: Context, to: String) -> Result<(), BoxError> {
    let sent: u8 = send(ctx.clone(), &to).await?;
    send::enqueue(ctx.client(), to).await?;
    println!("{sent}");
    Ok(())
}

async fn order(client: &Client) -> pgq::Result<()> {
    let tx = client.begin().await?;
    send::job("kim".to_owned()).priority(3).enqueue(&tx).await?;
    send::enqueue_many(&tx, ["kim".to_owned()]).await?;
    tx.commit().await
}

fn tasks() -> pgq::Tasks<()> {
    pgq::tasks![send, remind]
}

fn main() {}
