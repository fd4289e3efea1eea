//! `#[derive(Provide)]`: a struct that lends itself, nothing, and each of its fields by type.

use std::collections::HashSet;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Field, Generics, Member, Meta, Result, Type, parse_quote};

use crate::check;
use crate::errors::{Errors, wrong};
use crate::krate::Krate;
use crate::options::{self, Entry, Value};

pub(crate) fn provide(item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let expanded = errors.take(syn::parse2(item)).map(|input| expand(&input, &mut errors));
    quote!(#expanded #errors)
}

/// What can't be a provider is one all the same, of itself, so that those who use it get no errors of their own.
fn expand(input: &DeriveInput, errors: &mut Errors) -> TokenStream {
    let krate = container(&input.attrs, errors);
    let fields = errors.take(fields(input)).map(|fields| provided(fields, errors)).unwrap_or_default();
    let (ident, (_, arguments, _)) = (&input.ident, input.generics.split_for_impl());
    let mut lent = vec![(quote!(#ident #arguments), quote!(self)), (quote!(()), quote!(&()))];
    lent.extend(fields.iter().map(|(member, ty)| (ty.to_token_stream(), quote!(&self.#member))));

    let provider = Provider { krate: &krate, input, generics: bounded(&input.generics) };
    let implementations = lent.iter().map(|(ty, borrowed)| provider.lends(ty, borrowed));
    let (types, head) = (lent.iter().map(|(ty, _)| ty), provider.head(Span::call_site(), &quote!(#krate::Provider)));
    quote! {
        #(#implementations)*

        #[automatically_derived]
        #head {
            fn provided() -> ::std::vec::Vec<#krate::Provision<Self>> {
                ::std::vec![#(#krate::Provision::of::<#types>()),*]
            }
        }
    }
}

struct Provider<'i> {
    krate: &'i Krate,
    input: &'i DeriveInput,
    generics: Generics,
}

impl Provider<'_> {
    fn lends(&self, ty: &TokenStream, borrowed: &TokenStream) -> TokenStream {
        let krate = self.krate;
        let at = ty.span().resolved_at(Span::mixed_site());
        let head = self.head(at, &quote!(#krate::Provide<#ty>));
        quote! {
            #[automatically_derived]
            #head {
                fn provide(&self) -> &#ty {
                    #borrowed
                }
            }
        }
    }

    fn head(&self, at: Span, implemented: &TokenStream) -> TokenStream {
        let ident = &self.input.ident;
        let (parameters, _, clause) = self.generics.split_for_impl();
        let (_, arguments, _) = self.input.generics.split_for_impl();
        quote_spanned!(at=> impl #parameters #implemented for #ident #arguments #clause)
    }
}

/// The parameters, which it shouldn't have, with what every provider is.
fn bounded(generics: &Generics) -> Generics {
    let mut generics = generics.clone();
    if !generics.params.is_empty() {
        let clause = generics.make_where_clause();
        clause.predicates.push(parse_quote!(Self: ::core::marker::Send + ::core::marker::Sync + 'static));
    }
    generics
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
        // Of a missing lifetime the compiler tells itself.
        if skipped(field, errors) || text == "()" || check::elided(ty).is_some() {
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
