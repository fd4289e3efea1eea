use pgq::BoxError;

#[pgq::task(unique = ["user", "dya"])]
async fn digest(user: u32, day: String) -> Result<(), BoxError> {
    drop((user, day));
    Ok(())
}

fn main() {}
