//! What the compiler says to a mistake: each file in `fail/` is one, beside it what is printed.

#[test]
fn every_mistake_is_told_once_and_at_its_place() {
    trybuild::TestCases::new().compile_fail("fail/*.rs");
}
