use pgq::BoxError;

#[pgq::task(quee = "mail", attempts = 0, keep = 30)]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
