#[derive(pgq::Provide)]
#[provide(skip)]
struct App {
    name: String,
}

fn main() {}
