use pgq::BoxError;

use std::future::Future;

#[pgq::task]
fn send(to: String) -> impl Future<Output = Result<(), BoxError>> {
    async move {
        drop(to);
        Ok(())
    }
}

fn main() {}
