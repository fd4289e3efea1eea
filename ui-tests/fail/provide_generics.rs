#[derive(pgq::Provide)]
struct App<M> {
    mailer: M,
}

fn main() {}
