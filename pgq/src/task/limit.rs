//! What generated code says of limits.

use std::time::Duration;

use pgq_core::Rate;

/// A rate that the macro has checked.
///
/// # Panics
/// It is out of bounds.
#[must_use]
pub const fn rate(interval: Duration, burst: u32) -> Rate {
    match Rate::every(interval, burst) {
        Some(rate) => rate,
        None => unreachable!(),
    }
}

/// What a limit may be counted by: whatever can be shown as text.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a limit key: it isn't `Display`",
    label = "returns `{Self}`, which isn't `Display`",
    note = "a limit key is text: return a `String`, a `&str`, a number, or another type that is `Display`"
)]
pub trait LimitValue {
    /// It as text.
    fn text(&self) -> String;
}

#[diagnostic::do_not_recommend]
impl<T: ToString> LimitValue for T {
    fn text(&self) -> String {
        self.to_string()
    }
}

/// The limit key that a function of a task's has made.
pub fn limit_key<K: LimitValue>(key: &K) -> String {
    key.text()
}
