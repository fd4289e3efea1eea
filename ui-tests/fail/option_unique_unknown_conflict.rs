use pgq::BoxError;

#[pgq::task(unique(by = ["user"], on_conflict = skp))]
async fn digest(user: u32, day: String) -> Result<(), BoxError> {
    drop((user, day));
    Ok(())
}

fn main() {}
