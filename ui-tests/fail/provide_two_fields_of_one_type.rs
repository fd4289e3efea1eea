struct Pool;

#[derive(pgq::Provide)]
struct App {
    orders: Pool,
    stock: Pool,
}

fn main() {}
