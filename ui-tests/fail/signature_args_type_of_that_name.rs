use pgq::BoxError;

struct SendArgs;

#[pgq::task]
async fn send(to: String, text: String) -> Result<(), BoxError> {
    println!("{to} {text}");
    Ok(())
}

fn main() {}
