use std::future::Future;

use pgq::BoxError;

#[pgq::task]
fn send(to: String) -> impl Future<Output = Result<(), BoxError>> {
    async move {
        drop(to);
        Ok(())
    }
}

fn main() {}
