struct Address(String);

#[pgq::payload]
struct Mail {
    to: Address,
}

fn main() {}
