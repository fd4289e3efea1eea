#[derive(pgq::Provide)]
enum App {
    Live,
    Dry,
}

fn main() {}
