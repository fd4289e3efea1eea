use std::cell::Cell;

#[derive(pgq::Provide)]
struct App {
    counter: Cell<u64>,
}

fn main() {}
