#[pgq::task]
async fn send(to: String) -> Option<usize> {
    to.parse().ok()
}

fn main() {}
