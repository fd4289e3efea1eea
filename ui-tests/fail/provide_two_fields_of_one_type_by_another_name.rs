#[derive(pgq::Provide)]
struct App {
    name: String,
    city: std::string::String,
}

fn main() {}
