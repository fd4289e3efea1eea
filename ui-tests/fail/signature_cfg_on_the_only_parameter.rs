use pgq::BoxError;

#[pgq::task]
async fn send(#[cfg(unix)] to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
