#[pgq::payload(queue = "mail")]
struct Mail {
    to: String,
}

fn main() {}
