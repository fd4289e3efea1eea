use pgq::BoxError;

#[pgq::task]
extern "C" fn send(to: u8) -> Result<(), BoxError> {
    let _ = to;
    Ok(())
}

fn main() {}
