#[derive(pgq::Provide)]
struct App {
    name: &str,
}

fn main() {}
