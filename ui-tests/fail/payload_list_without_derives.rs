use pgq::BoxError;

struct Mail {
    to: String,
}

#[pgq::task]
async fn send(mails: Vec<Mail>) -> Result<(), BoxError> {
    mails.iter().for_each(|mail| println!("{}", mail.to));
    Ok(())
}

fn main() {}
