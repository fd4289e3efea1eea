struct App;

impl pgq::Resources for App {
    async fn init(_: &pgq::Env) -> pgq::Result<Self> {
        Ok(App)
    }
}

fn main() {}
