fn breaker(order: u64) -> bool {
    order > 0
}

#[pgq::task(layer = breaker)]
async fn charge() -> Result<(), pgq::BoxError> {
    Ok(())
}

fn main() {}
