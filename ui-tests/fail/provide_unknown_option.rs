#[derive(pgq::Provide)]
struct App {
    #[provide(skp)]
    name: String,
}

fn main() {}
