use pgq::{Context, Next, Outcome};

struct Bank;

async fn breaker(_: Context<Bank>, next: Next) -> Outcome {
    next.run().await
}

#[pgq::task(layer = breaker)]
async fn charge() -> Result<(), pgq::BoxError> {
    Ok(())
}

fn main() {}
