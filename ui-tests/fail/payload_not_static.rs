use pgq::BoxError;

struct Mail<'a> {
    to: &'a str,
}

#[pgq::task]
async fn send(mail: Mail<'_>) -> Result<(), BoxError> {
    println!("{}", mail.to);
    Ok(())
}

fn main() {}
