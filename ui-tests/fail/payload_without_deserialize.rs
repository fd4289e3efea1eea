use pgq::BoxError;

#[derive(serde::Serialize)]
struct Mail {
    to: String,
}

#[pgq::task(schema = none)]
async fn send(mail: Mail) -> Result<(), BoxError> {
    println!("{}", mail.to);
    Ok(())
}

fn main() {}
