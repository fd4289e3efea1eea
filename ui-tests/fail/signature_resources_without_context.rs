use pgq::BoxError;

#[derive(pgq::Provide)]
struct App;

#[pgq::task]
async fn send(app: App) -> Result<(), BoxError> {
    let _ = app;
    Ok(())
}

fn main() {}
