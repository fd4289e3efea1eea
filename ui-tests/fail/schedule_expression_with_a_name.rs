use pgq::BoxError;

#[pgq::schedule(cron = "@daily")]
async fn sync() -> Result<(), BoxError> {
    Ok(())
}

fn main() {}
