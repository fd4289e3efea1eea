use pgq::{BoxError, Context};

struct Mailer;
struct Shop;

#[pgq::task]
async fn send(ctx: Context<Mailer, Shop>) -> Result<(), BoxError> {
    println!("{}", ctx.job_id());
    Ok(())
}

fn main() {}
