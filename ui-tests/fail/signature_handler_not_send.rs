use std::rc::Rc;

use pgq::BoxError;

#[pgq::task]
async fn send(to: String) -> Result<(), BoxError> {
    let to = Rc::new(to);
    std::future::ready(()).await;
    println!("{to}");
    Ok(())
}

fn main() {}
