use pgq::BoxError;

trait Sends {
    #[pgq::task]
    async fn send(to: String) -> Result<(), BoxError>;
}

fn main() {}
