#[pgq::payload]
type Address = String;

fn main() {}
