use std::marker::PhantomData;
use std::rc::Rc;

use pgq::BoxError;

#[pgq::task]
async fn send() -> Result<PhantomData<Rc<u8>>, BoxError> {
    Ok(PhantomData)
}

fn main() {}
