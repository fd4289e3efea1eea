use pgq::{BoxError, Context};

#[pgq::task]
async fn send(to: String, ctx: Context) -> Result<(), BoxError> {
    println!("{to} {}", ctx.job_id());
    Ok(())
}

fn main() {}
