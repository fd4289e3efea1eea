use std::task::Context;

use pgq::BoxError;

#[pgq::task]
async fn send(ctx: Context<'_>, to: String) -> Result<(), BoxError> {
    println!("{to} {ctx:?}");
    Ok(())
}

fn main() {}
