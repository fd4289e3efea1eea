use pgq::BoxError;

#[pgq::task]
async fn send(to: &str) -> Result<(), BoxError> {
    println!("{to}");
    Ok(())
}

fn main() {}
