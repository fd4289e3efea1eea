use pgq::BoxError;

#[pgq::task]
async fn send(to: String) -> Result<(), BoxError>
where
    String: Clone,
{
    drop(to);
    Ok(())
}

fn main() {}
