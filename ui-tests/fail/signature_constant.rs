#[pgq::task]
const SEND: fn(String) = |to| println!("{to}");

fn main() {}
