use pgq::BoxError;

#[pgq::task(queue = "mail" priority = 3)]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
