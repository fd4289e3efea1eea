//! The attribute macros of [pgq](https://docs.rs/pgq). Use them through that crate, which re-exports them and is what
//! their code refers to; its documents have the examples.

mod check;
mod errors;
mod expand;
mod fallback;
mod krate;
mod model;
mod options;
mod parse;
mod spans;
mod suggest;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

#[doc = include_str!("task.md")]
#[proc_macro_attribute]
pub fn task(attr: TokenStream, item: TokenStream) -> TokenStream {
    expand::task(attr.into(), &item.into()).into()
}

// Its examples are tests of pgq, which this crate doesn't know.
#[cfg_attr(not(doctest), doc = include_str!("schedule.md"))]
#[proc_macro_attribute]
pub fn schedule(attr: TokenStream, item: TokenStream) -> TokenStream {
    expand::schedule(attr.into(), &item.into()).into()
}

/// What `pgq::tasks!` stands on: it hands over its `$crate`.
#[doc(hidden)]
#[proc_macro]
pub fn tasks(list: TokenStream) -> TokenStream {
    expand::tasks(list.into()).into()
}

#[doc = include_str!("payload.md")]
#[proc_macro_attribute]
pub fn payload(attr: TokenStream, item: TokenStream) -> TokenStream {
    expand::payload(attr.into(), &item.into()).into()
}

#[doc = include_str!("provide.md")]
#[proc_macro_derive(Provide, attributes(provide))]
pub fn provide(item: TokenStream) -> TokenStream {
    expand::provide(item.into()).into()
}
