#[derive(Debug)]
struct Declined;

fn what_to_do(_attempt: u16, _error: &Declined) -> Option<pgq::Control> {
    None
}

#[pgq::task(on_error = what_to_do)]
async fn charge() -> Result<(), pgq::BoxError> {
    Ok(())
}

fn main() {}
