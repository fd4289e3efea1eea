struct Bounced;

#[pgq::task]
async fn send(to: String) -> Result<(), Bounced> {
    if to.is_empty() { Err(Bounced) } else { Ok(()) }
}

fn main() {}
