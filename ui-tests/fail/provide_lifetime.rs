#[derive(pgq::Provide)]
struct App<'a> {
    name: &'a str,
}

fn main() {}
