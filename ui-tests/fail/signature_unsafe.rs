use pgq::BoxError;

#[pgq::task]
async unsafe fn send(to: u8) -> Result<(), BoxError> {
    let _ = to;
    Ok(())
}

fn main() {}
