use pgq::BoxError;

#[pgq::task]
async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn tasks() -> pgq::Tasks<()> {
    pgq::tasks![send(), "deliver"]
}

fn main() {}
