#[pgq::payload(shema = none)]
struct Mail {
    to: String,
}

fn main() {}
