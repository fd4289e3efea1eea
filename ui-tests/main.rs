//! What the compiler says to a mistake: each file in `fail/` is one, named after it, and beside it stands what is printed.
//!
//! To add a case, write `fail/<what>_<mistake>.rs` (`what` is one of `signature`, `payload`, `output`, `option`, `target`,
//! `resource`, `provide`, `tasks`, `schedule`, `together`) with one mistake and a `main`, then let the compiler fill in the
//! rest and read it as somebody would who has never seen pgq: is it one error, on the right word, that says what to write instead?
//!
//! ```sh
//! TRYBUILD=overwrite cargo test -p pgq-ui-tests
//! cargo test -p pgq-ui-tests -- every_mistake trybuild=signature_   # those with this in their names
//! ```
//!
//! The texts are those of Rust 1.95: another compiler may word its notes otherwise.

#[test]
fn every_mistake_is_told_once_and_at_its_place() {
    trybuild::TestCases::new().compile_fail("fail/*.rs");
}
