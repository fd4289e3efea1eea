use pgq::BoxError;

struct Address(String);

#[pgq::task]
async fn send(to: Address, text: String) -> Result<(), BoxError> {
    println!("{} {text}", to.0);
    Ok(())
}

fn main() {}
