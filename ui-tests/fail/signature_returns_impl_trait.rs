use pgq::BoxError;

#[pgq::task]
async fn send(to: String) -> Result<impl ToString, BoxError> {
    Ok(to)
}

fn main() {}
