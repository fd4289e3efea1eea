use pgq::BoxError;

#[pgq::payload]
#[derive(serde::Serialize, serde::Deserialize)]
struct Mail {
    to: String,
}

#[pgq::task]
async fn send(mail: Mail) -> Result<(), BoxError> {
    println!("{}", mail.to);
    Ok(())
}

fn main() {}
