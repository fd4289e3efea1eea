//! `#[derive(Provide)]`: a struct that lends itself, nothing, and each of its fields by type.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Field, Member, Meta, Result, Type};

use crate::errors::{Errors, wrong};
use crate::krate::Krate;
use crate::options::{self, Entry, Value};

pub(crate) fn provide(item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let expanded = errors.take(syn::parse2(item)).map(|input| expand(&input, &mut errors));
    quote!(#expanded #errors)
}

fn expand(input: &DeriveInput, errors: &mut Errors) -> TokenStream {
    let krate = container(&input.attrs, errors);
    let Some(fields) = errors.take(fields(input)) else { return TokenStream::new() };
    let provided = provided(fields, errors);
    let (ident, types) = (&input.ident, provided.iter().map(|(_, ty)| ty));
    let parts = provided.iter().map(|(member, ty)| {
        let borrowed = quote!(&self.#member);
        implementation(&krate, input, ty, &borrowed)
    });
    let whole = implementation(&krate, input, &ident, &quote!(self));
    let nothing = implementation(&krate, input, &quote!(()), &quote!(&()));
    quote! {
        #whole
        #nothing
        #(#parts)*

        #[automatically_derived]
        impl #krate::Provider for #ident {
            fn provided() -> ::std::vec::Vec<#krate::Provision<Self>> {
                ::std::vec![
                    #krate::Provision::of::<#ident>(),
                    #krate::Provision::of::<()>(),
                    #(#krate::Provision::of::<#types>(),)*
                ]
            }
        }
    }
}

fn implementation(krate: &Krate, input: &DeriveInput, ty: &impl ToTokens, borrowed: &TokenStream) -> TokenStream {
    let ident = &input.ident;
    let at = ty.to_token_stream().span().resolved_at(proc_macro2::Span::mixed_site());
    let head = quote_spanned!(at=> impl #krate::Provide<#ty> for #ident);
    quote! {
        #[automatically_derived]
        #head {
            fn provide(&self) -> &#ty {
                #borrowed
            }
        }
    }
}

/// What `#[provide(…)]` says about the struct: where pgq is.
fn container(attrs: &[Attribute], errors: &mut Errors) -> Krate {
    let mut krate = Krate::default();
    for entry in entries(attrs, errors) {
        let set = match entry.name.to_string().as_str() {
            "crate" => entry.is("crate = my::pgq").and_then(options::path).map(|path| krate = path.into()),
            "skip" => wrong(&entry.name, "`skip` belongs on a field"),
            _ => wrong(&entry.name, options::unknown("option", &entry.name, &["crate"])),
        };
        errors.take(set);
    }
    krate
}

/// Whether `#[provide(skip)]` stands on the field.
fn skipped(field: &Field, errors: &mut Errors) -> bool {
    let mut skipped = false;
    for entry in entries(&field.attrs, errors) {
        let set = match entry.name.to_string().as_str() {
            "skip" if matches!(entry.value, Value::Absent) => {
                skipped = true;
                Ok(())
            }
            "skip" => wrong(&entry.name, "expected `#[provide(skip)]`"),
            "crate" => wrong(&entry.name, "`crate` belongs on the struct"),
            _ => wrong(&entry.name, options::unknown("option", &entry.name, &["skip"])),
        };
        errors.take(set);
    }
    skipped
}

fn entries(attrs: &[Attribute], errors: &mut Errors) -> Vec<Entry> {
    let mut tokens = TokenStream::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("provide")) {
        match &attr.meta {
            Meta::List(list) => {
                let list = &list.tokens;
                tokens.extend(quote!(#list,));
            }
            meta => {
                errors.refuse(meta, "expected `#[provide(skip)]` on a field or `#[provide(crate = …)]`");
            }
        }
    }
    options::entries(tokens, errors)
}

fn fields(input: &DeriveInput) -> Result<&syn::Fields> {
    if !input.generics.params.is_empty() {
        return wrong(&input.generics, "expected a struct without parameters: tasks ask for its fields by their types");
    }
    match &input.data {
        Data::Struct(data) => Ok(&data.fields),
        Data::Enum(data) => wrong(data.enum_token, "expected a struct, whose fields tasks ask for, got an enum"),
        Data::Union(data) => wrong(data.union_token, "expected a struct, whose fields tasks ask for, got a union"),
    }
}

/// The fields that are lent, each type once.
fn provided<'f>(fields: &'f syn::Fields, errors: &mut Errors) -> Vec<(Member, &'f Type)> {
    let (mut provided, mut seen) = (Vec::new(), HashSet::new());
    for (member, field) in fields.members().zip(fields) {
        let ty = &field.ty;
        let text = ty.to_token_stream().to_string();
        if skipped(field, errors) || text == "()" {
            continue;
        }
        if !seen.insert(text) {
            let why =
                "a second field of this type: put `#[provide(skip)]` on one of them, or wrap it in a type of its own";
            errors.refuse(ty, why);
            continue;
        }
        provided.push((member, ty));
    }
    provided
}
