use pgq::BoxError;

#[pgq::task]
async fn send((to, text): (u64, String)) -> Result<(), BoxError> {
    println!("{to} {text}");
    Ok(())
}

fn main() {}
