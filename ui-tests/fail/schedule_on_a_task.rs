use pgq::BoxError;

#[pgq::task(schedule = "@daily")]
async fn sync() -> Result<(), BoxError> {
    Ok(())
}

fn main() {}
