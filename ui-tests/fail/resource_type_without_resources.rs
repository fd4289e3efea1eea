#[derive(pgq::Provide)]
struct App;

async fn work() -> pgq::Result<()> {
    pgq::run::<App>().await
}

fn main() {}
