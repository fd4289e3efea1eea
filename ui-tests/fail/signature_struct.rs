#[pgq::task]
struct SendMail {
    to: String,
}

fn main() {}
