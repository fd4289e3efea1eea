#[pgq::task]
async fn send(to: String) -> usize {
    to.len()
}

fn main() {}
