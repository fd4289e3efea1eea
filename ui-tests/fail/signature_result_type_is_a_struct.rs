#[pgq::payload]
struct Receipt {
    id: u64,
}

#[pgq::task]
async fn send(id: u64) -> Receipt {
    Receipt { id }
}

fn main() {}
