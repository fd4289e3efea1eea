fn tenant(_: &()) -> String {
    String::new()
}

#[pgq::schedule("@daily", limit(concurrency = 2, key = tenant))]
async fn sweep() -> Result<(), pgq::BoxError> {
    Ok(())
}

fn main() {}
