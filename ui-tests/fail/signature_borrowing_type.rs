use pgq::BoxError;

#[pgq::task]
async fn send(to: Vec<&str>) -> Result<(), BoxError> {
    println!("{to:?}");
    Ok(())
}

fn main() {}
