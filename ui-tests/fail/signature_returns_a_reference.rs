use pgq::BoxError;

#[pgq::task]
async fn send(to: String) -> Result<&'static str, BoxError> {
    drop(to);
    Ok("sent")
}

fn main() {}
