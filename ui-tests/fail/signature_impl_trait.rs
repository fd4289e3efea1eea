use pgq::BoxError;

#[pgq::task]
async fn send(to: impl ToString) -> Result<(), BoxError> {
    println!("{}", to.to_string());
    Ok(())
}

fn main() {}
