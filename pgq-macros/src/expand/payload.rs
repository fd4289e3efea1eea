//! `#[payload]`: the derives that a payload needs, without serde and schemars in the user's `Cargo.toml`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Attribute, Item, Path, Token};

use crate::errors::{Errors, wrong};
use crate::fallback;
use crate::options::Options;

pub(crate) fn payload(attr: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = Options::of_payload(attr, &mut errors);
    let attrs = match attributes(item) {
        Ok(attrs) => attrs,
        Err(error) => return fallback::item(item, errors, error),
    };
    let before = errors.len();
    check_derives(&attrs, options.schema, &mut errors);
    // With a derive twice, the user's own does.
    let derives = (errors.len() == before).then(|| options.krate.payload_derives(options.schema));
    quote!(#derives #item #errors)
}

fn attributes(item: &TokenStream) -> syn::Result<Vec<Attribute>> {
    match syn::parse2(item.clone())? {
        Item::Struct(item) => Ok(item.attrs),
        Item::Enum(item) => Ok(item.attrs),
        Item::Union(item) => wrong(item.union_token, "expected a struct or an enum, got a union"),
        Item::Fn(item) => {
            wrong(&item.sig.ident, "expected a struct or an enum, got a function: a task is `#[pgq::task]`")
        }
        item => wrong(item, "expected a struct or an enum"),
    }
}

fn check_derives(attrs: &[Attribute], schema: bool, errors: &mut Errors) {
    let ours = ["Serialize", "Deserialize", "JsonSchema"];
    let ours = if schema { &ours[..] } else { &ours[..2] };
    for path in attrs.iter().filter(|attr| attr.path().is_ident("derive")).flat_map(derived) {
        let Some(last) = path.segments.last() else { continue };
        if ours.iter().any(|ours| last.ident == ours) {
            let why = format!("`#[pgq::payload]` derives `{}` already: take one of the two away", last.ident);
            errors.refuse(path.to_token_stream(), why);
        }
    }
}

fn derived(attr: &Attribute) -> Vec<Path> {
    let Ok(list) = attr.meta.require_list() else { return Vec::new() };
    let paths = Punctuated::<Path, Token![,]>::parse_terminated.parse2(list.tokens.clone());
    paths.map(|paths| paths.into_iter().collect()).unwrap_or_default()
}
