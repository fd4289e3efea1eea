use pgq::BoxError;

struct App;

impl App {
    #[pgq::task]
    async fn send(&self, to: String) -> Result<(), BoxError> {
        drop(to);
        Ok(())
    }
}

fn main() {}
