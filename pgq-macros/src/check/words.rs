//! The words of a type, at any depth: what is borrowed or has no name can't be stored.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::Type;

/// The first token of the type, at any depth, that `wanted` (given the one after it) holds for.
pub(super) fn found(ty: &Type, wanted: impl Fn(&TokenTree, Option<&TokenTree>) -> bool) -> Option<TokenTree> {
    within(ty.to_token_stream(), &wanted)
}

fn within(tokens: TokenStream, wanted: &impl Fn(&TokenTree, Option<&TokenTree>) -> bool) -> Option<TokenTree> {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let deeper = match &token {
            token if wanted(token, tokens.peek()) => Some(token.clone()),
            TokenTree::Group(group) => within(group.stream(), wanted),
            _ => None,
        };
        if deeper.is_some() {
            return deeper;
        }
    }
    None
}

pub(super) fn is(token: &TokenTree, word: &str) -> bool {
    match token {
        TokenTree::Ident(ident) => ident == word,
        TokenTree::Punct(punct) => word.chars().eq([punct.as_char()]),
        _ => false,
    }
}

/// A `&` without a lifetime, or a lifetime other than `'static`.
pub(crate) fn elided(ty: &Type) -> Option<TokenTree> {
    found(ty, |token, next| is(token, "&") && !next.is_some_and(|next| is(next, "'")) || is_elided(token, next))
}

/// A reference of any lifetime.
pub(crate) fn reference(ty: &Type) -> Option<TokenTree> {
    found(ty, |token, next| is(token, "&") || is_elided(token, next))
}

/// Whether a lifetime other than `'static` begins here.
pub(super) fn is_elided(token: &TokenTree, next: Option<&TokenTree>) -> bool {
    is(token, "'") && !next.is_some_and(|next| is(next, "static"))
}
