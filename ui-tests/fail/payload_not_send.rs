use std::rc::Rc;

use pgq::BoxError;

#[derive(Default)]
struct Cache(Rc<u8>);

#[pgq::payload(schema = none)]
struct Mail {
    to: String,
    #[serde(skip)]
    cache: Cache,
}

#[pgq::task(schema = none)]
async fn send(mail: Mail) -> Result<(), BoxError> {
    println!("{} {}", mail.to, mail.cache.0);
    Ok(())
}

fn main() {}
