use pgq::{BoxError, Client, Context};

#[derive(pgq::Provide)]
struct App;

#[pgq::task(quee = "mail")]
async fn send(ctx: Context<App>, to: String, times: u8) -> Result<u8, BoxError> {
    println!("{to} {}", ctx.job_id());
    Ok(times)
}

#[pgq::task]
async fn remind(ctx: Context<App>, to: String) -> Result<(), BoxError> {
    let sent: u8 = send(ctx.clone(), to.clone(), 1).await?;
    send::enqueue(ctx.client(), SendArgs { to, times: sent }).await?;
    Ok(())
}

async fn order(client: &Client) -> pgq::Result<()> {
    let tx = client.begin().await?;
    let args = SendArgs { to: "kim".to_owned(), times: 2 };
    send::job(args).priority(3).enqueue(&tx).await?;
    remind::enqueue_many(&tx, ["kim".to_owned()]).await?;
    tx.commit().await
}

fn tasks() -> pgq::Tasks<App> {
    pgq::tasks![send, remind]
}

fn main() {}
