use pgq::BoxError;

use std::rc::Rc;

#[pgq::task]
async fn send(to: String) -> Result<(), BoxError> {
    let to = Rc::new(to);
    std::future::ready(()).await;
    println!("{to}");
    Ok(())
}

fn main() {}
