use pgq::BoxError;

#[pgq::task]
async fn send<'a>(to: &'a str) -> Result<(), BoxError> {
    println!("{to}");
    Ok(())
}

fn main() {}
