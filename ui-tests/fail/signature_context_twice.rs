use pgq::{BoxError, Context};

struct Mailer;

#[pgq::task]
async fn send(ctx: Context, mailer: Context<Mailer>, to: String) -> Result<(), BoxError> {
    println!("{to} {} {}", ctx.job_id(), mailer.job_id());
    Ok(())
}

fn main() {}
