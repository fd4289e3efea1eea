use pgq::{BoxError, Context};

#[pgq::task]
async fn send(ctx: &Context, to: String) -> Result<(), BoxError> {
    println!("{to} {}", ctx.job_id());
    Ok(())
}

fn main() {}
