#[derive(pgq::Provide)]
struct App;

fn main() {
    drop(pgq::run::<App>());
}
