#[pgq::payload]
struct Mail<'a> {
    to: &'a str,
}

fn main() {}
