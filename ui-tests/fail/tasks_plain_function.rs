use pgq::BoxError;

async fn send(to: String) -> Result<(), BoxError> {
    drop(to);
    Ok(())
}

fn tasks() -> pgq::Tasks<()> {
    pgq::tasks![send]
}

fn main() {}
