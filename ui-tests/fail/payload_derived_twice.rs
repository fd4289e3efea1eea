#[pgq::payload]
#[derive(Debug, serde::Serialize)]
struct Mail {
    to: String,
}

fn main() {}
