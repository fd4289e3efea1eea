use pgq::BoxError;

#[pgq::task]
async fn send(to: &str, text: String) -> Result<u8, BoxError> {
    println!("{to} {text}");
    Ok(1)
}

#[pgq::task(quee = "mail")]
async fn deliver(to: String, text: String) -> Result<u8, BoxError> {
    println!("{to} {text}");
    Ok(1)
}

fn main() {}
