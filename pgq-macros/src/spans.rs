//! Where generated code stands for the compiler's errors.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::ToTokens;

/// A span that the compiler shows as the user's and that resolves local names as generated ones.
pub(crate) fn placed(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

/// Where something begins and ends. One span from here to there can't be had on stable Rust; an error on tokens of which the
/// first and the last are placed so is shown there. Not for local names.
pub(crate) fn ends(tokens: impl ToTokens) -> (Span, Span) {
    let mut tokens = tokens.into_token_stream().into_iter();
    let first = tokens.next();
    let last = tokens.last().or_else(|| first.clone()).map(|token| match token {
        TokenTree::Group(group) => group.span_close(),
        token => token.span(),
    });
    let place = |span: Option<Span>| span.map_or_else(Span::call_site, generated_at);
    (place(first.map(|token| token.span())), place(last))
}

/// The user's tokens as if they were generated where they stand. Names of items mean what they meant.
pub(crate) fn generated(tokens: impl ToTokens) -> TokenStream {
    let generated = |token: TokenTree| match token {
        TokenTree::Group(group) => {
            let mut inside = Group::new(group.delimiter(), generated(group.stream()));
            inside.set_span(generated_at(group.span()));
            inside.into()
        }
        mut token => {
            token.set_span(generated_at(token.span()));
            token
        }
    };
    tokens.into_token_stream().into_iter().map(generated).collect()
}

fn generated_at(span: Span) -> Span {
    Span::call_site().located_at(span)
}
