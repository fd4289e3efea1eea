use pgq::BoxError;

#[allow(non_camel_case_types)]
struct send;

#[pgq::task]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn main() {}
