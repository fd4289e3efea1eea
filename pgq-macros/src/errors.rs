//! Mistakes, gathered so that one doesn't hide the next: each is one error on one token of the user's.

use std::fmt::Display;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Error, Result};

#[derive(Default)]
pub(crate) struct Errors(Vec<Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: Error) {
        self.0.push(error);
    }

    /// Notes an error on all of `tokens`.
    pub(crate) fn refuse(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(Error::new_spanned(tokens, message));
    }

    /// The value, or `None` with its error noted.
    pub(crate) fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// How many there are so far.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// What they say, for tests.
    #[cfg(test)]
    pub(crate) fn messages(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

impl ToTokens for Errors {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.0.iter().map(Error::to_compile_error));
    }
}

/// Tokens as a person would write them, `Context<App>` and `-5`; their own text puts spaces everywhere.
pub(crate) fn shown(tokens: impl ToTokens) -> String {
    let (mut text, mut after_word) = (String::new(), false);
    for token in tokens.into_token_stream() {
        let (part, word) = match token {
            TokenTree::Group(group) => (grouped(&group), false),
            TokenTree::Punct(punct) if punct.as_char() == ',' => (", ".to_owned(), false),
            TokenTree::Punct(punct) => (punct.to_string(), false),
            word => (word.to_string(), true),
        };
        if word && after_word {
            text.push(' ');
        }
        text.push_str(&part);
        after_word = word;
    }
    text
}

fn grouped(group: &Group) -> String {
    let inside = shown(group.stream());
    match group.delimiter() {
        Delimiter::Parenthesis => format!("({inside})"),
        Delimiter::Bracket => format!("[{inside}]"),
        Delimiter::Brace => format!("{{{inside}}}"),
        Delimiter::None => inside,
    }
}

/// An error on all of `tokens`.
pub(crate) fn wrong<T>(tokens: impl ToTokens, message: impl Display) -> Result<T> {
    Err(Error::new_spanned(tokens, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;

    #[test]
    fn tokens_are_shown_as_they_are_written() {
        assert_eq!(shown(quote!(my::Context<App, u8>)), "my::Context<App, u8>");
        assert_eq!(shown(quote!(-5)), "-5");
        assert_eq!(shown(quote!(fixed("30 s", dyn X, [u8; 4]))), "fixed(\"30 s\", dyn X, [u8;4])");
    }
}
