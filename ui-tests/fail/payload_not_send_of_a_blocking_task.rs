use std::marker::PhantomData;
use std::rc::Rc;

use pgq::BoxError;

#[pgq::payload(schema = none)]
struct Mail {
    to: PhantomData<Rc<u8>>,
}

#[pgq::task(schema = none)]
fn send(mail: Mail) -> Result<(), BoxError> {
    let _ = mail.to;
    Ok(())
}

fn main() {}
