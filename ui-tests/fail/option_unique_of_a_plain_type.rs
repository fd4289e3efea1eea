#[pgq::task(unique = ["order"])]
async fn charge(order: u64) -> Result<(), pgq::BoxError> {
    let _ = order;
    Ok(())
}

fn main() {}
