use pgq::BoxError;

use std::task::Context;

#[pgq::task]
async fn send(ctx: Context<'_>, to: String) -> Result<(), BoxError> {
    println!("{to} {ctx:?}");
    Ok(())
}

fn main() {}
