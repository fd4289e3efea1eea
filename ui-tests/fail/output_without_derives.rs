use pgq::BoxError;

struct Receipt {
    id: u64,
}

#[pgq::task]
async fn send(id: u64) -> Result<Receipt, BoxError> {
    let receipt = Receipt { id };
    println!("{}", receipt.id);
    Ok(receipt)
}

fn main() {}
