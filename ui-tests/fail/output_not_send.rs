use std::rc::Rc;

use pgq::BoxError;

#[derive(Default)]
struct Cache(Rc<u8>);

#[pgq::payload]
struct Receipt {
    id: u64,
    #[serde(skip)]
    cache: Cache,
}

#[pgq::task]
async fn send(id: u64) -> Result<Receipt, BoxError> {
    let receipt = Receipt { id, cache: Cache::default() };
    println!("{} {}", receipt.id, receipt.cache.0);
    Ok(receipt)
}

fn main() {}
