use pgq::BoxError;

#[pgq::payload]
struct Mail {
    to: &'static str,
}

#[pgq::task]
async fn send(mail: Mail) -> Result<(), BoxError> {
    println!("{}", mail.to);
    Ok(())
}

fn main() {}
