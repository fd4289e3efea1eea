use std::error::Error;

#[pgq::task]
async fn send(to: String) -> Result<u8, Box<dyn Error>> {
    Ok(to.parse()?)
}

fn main() {}
