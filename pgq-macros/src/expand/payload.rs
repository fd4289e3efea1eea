//! `#[payload]`: the derives that a payload needs, without serde and schemars in the user's `Cargo.toml`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DeriveInput, Field, Item, Path, Token};

use crate::check;
use crate::errors::{Errors, wrong};
use crate::fallback;
use crate::options::Options;

const DERIVED: [&str; 3] = ["Serialize", "Deserialize", "JsonSchema"];

pub(crate) fn payload(attr: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = Options::of_payload(attr, &mut errors);
    let input = match read(item) {
        Ok(input) => input,
        Err(error) => return fallback::item(item, errors, error),
    };
    // Of a derive that there is twice, the user's own does.
    let mut done = derived_already(&input.attrs, options.schema, &mut errors);
    let before = errors.len();
    check_ownership(&input, &mut errors);
    let deserialize = (errors.len() > before && !done.contains(&"Deserialize")).then(|| {
        done.push("Deserialize");
        fallback::deserialize(&options.krate, &input)
    });
    let derives = options.krate.payload_derives(options.schema, &done);
    quote!(#derives #item #deserialize #errors)
}

fn read(item: &TokenStream) -> syn::Result<DeriveInput> {
    match syn::parse2(item.clone())? {
        Item::Struct(item) => Ok(item.into()),
        Item::Enum(item) => Ok(item.into()),
        Item::Union(item) => wrong(item.union_token, "expected a struct or an enum, got a union"),
        Item::Fn(item) => {
            wrong(&item.sig.ident, "expected a struct or an enum, got a function: a task is `#[pgq::task]`")
        }
        item => wrong(item, "expected a struct or an enum"),
    }
}

fn derived_already(attrs: &[Attribute], schema: bool, errors: &mut Errors) -> Vec<&'static str> {
    let ours = if schema { &DERIVED[..] } else { &DERIVED[..2] };
    let mut already = Vec::new();
    for path in attrs.iter().filter(|attr| attr.path().is_ident("derive")).flat_map(derived) {
        let known = |last: &syn::PathSegment| ours.iter().copied().find(|ours| last.ident == ours);
        let Some(name) = path.segments.last().and_then(known) else { continue };
        errors.refuse(&path, format!("`#[pgq::payload]` derives `{name}` already: take one of the two away"));
        already.push(name);
    }
    already
}

fn derived(attr: &Attribute) -> Vec<Path> {
    let Ok(list) = attr.meta.require_list() else { return Vec::new() };
    let paths = Punctuated::<Path, Token![,]>::parse_terminated.parse2(list.tokens.clone());
    paths.map(|paths| paths.into_iter().collect()).unwrap_or_default()
}

/// Of what borrows, serde and the compiler speak in riddles ("not general enough"), and only where a task takes it.
fn check_ownership(input: &DeriveInput, errors: &mut Errors) {
    for lifetime in input.generics.lifetimes() {
        errors.refuse(lifetime, "a payload can't have a lifetime: it owns what it holds");
    }
    let variants: Vec<&syn::Fields> = match &input.data {
        Data::Struct(data) => vec![&data.fields],
        Data::Enum(data) => data.variants.iter().map(|variant| &variant.fields).collect(),
        Data::Union(_) => Vec::new(),
    };
    // What serde is told something about may be no part of the payload.
    let plain = |field: &&Field| !field.attrs.iter().any(|attr| attr.path().is_ident("serde"));
    for field in variants.into_iter().flatten().filter(plain) {
        if let Some(token) = check::reference(&field.ty).filter(|_| input.generics.lifetimes().next().is_none()) {
            errors.refuse(token, "expected a type that owns what it holds: payloads are read from the database");
        }
    }
}
