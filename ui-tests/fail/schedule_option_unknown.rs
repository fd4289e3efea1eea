use pgq::BoxError;

#[pgq::schedule("@daily", splay = "5s")]
async fn sync() -> Result<(), BoxError> {
    Ok(())
}

fn main() {}
