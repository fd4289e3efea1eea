use pgq::BoxError;

#[pgq::task]
async fn send<const N: usize>(bytes: [u8; N]) -> Result<(), BoxError> {
    let _ = bytes;
    Ok(())
}

fn main() {}
