use pgq::BoxError;

#[pgq::task]
async fn send<T: serde::Serialize>(what: T) -> Result<(), BoxError> {
    drop(what);
    Ok(())
}

fn main() {}
