#[pgq::task]
async fn send(to: String) {
    println!("{to}");
}

fn main() {}
