use pgq::BoxError;

#[pgq::task]
const fn send(to: u8) -> Result<(), BoxError> {
    let _ = to;
    Ok(())
}

fn main() {}
