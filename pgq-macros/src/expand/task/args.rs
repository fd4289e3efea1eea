//! The type of the arguments, and the struct that several payload parameters become.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::model::{Field, Payload, Task};

/// What a job carries. Where that can't be told there is an error already, and `()` does.
pub(super) fn ty(task: &Task) -> TokenStream {
    match &task.payload {
        Payload::One(ty) => ty.to_token_stream(),
        Payload::Many { name, .. } => name.to_token_stream(),
        Payload::Nothing | Payload::Unknown => quote!(()),
    }
}

pub(super) fn structure(task: &Task) -> Option<TokenStream> {
    let Payload::Many { name, attrs, fields } = &task.payload else { return None };
    let vis = &task.function.vis;
    let bounds = bounds(task, attrs, fields);
    let derives = task.options.krate.payload_derives(task.options.schema, &[]);
    let doc = format!(" The arguments of the task `{}`.", task.function.sig.ident.unraw());
    let fields = fields.iter().map(|Field { attrs, cfgs, ident, ty }| {
        let doc = attrs.iter().all(|attr| !attr.path().is_ident("doc")).then(undocumented);
        quote!(#(#attrs)* #doc #(#cfgs)* #vis #ident: #ty)
    });
    Some(quote! {
        #derives
        #bounds
        #[doc = #doc]
        #(#attrs)*
        #[allow(clippy::pub_underscore_fields, non_snake_case, unreachable_pub)]
        #vis struct #name {
            #(#fields,)*
        }
    })
}

/// Asks of each field's type what serde's derives will use, before they use it in five places: so a type that can't be stored
/// is one error for each derive that it lacks, on the type. Left out where serde was told to do something else with a field,
/// and where a type has no name that a text could repeat (`$crate`).
fn bounds(task: &Task, attrs: &[syn::Attribute], fields: &[Field]) -> Option<TokenStream> {
    let told =
        attrs.iter().chain(fields.iter().flat_map(|field| &field.attrs)).any(|attr| attr.path().is_ident("serde"));
    let types = fields.iter().map(|field| (field.ty.to_token_stream().to_string(), field.ty.span()));
    let types: Vec<_> = types.collect();
    let krate = task.options.krate.to_token_stream().to_string();
    let nameless = krate.contains('$') || types.iter().any(|(ty, _)| ty.contains('$'));
    if told || nameless || fields.iter().any(|field| !field.cfgs.is_empty()) {
        return None;
    }
    let bound = |of: &str| {
        let text: Vec<String> = types.iter().map(|(ty, _)| format!("{ty}: {krate}::__private::serde::{of}")).collect();
        syn::LitStr::new(&text.join(", "), types.first().map_or_else(proc_macro2::Span::call_site, |first| first.1))
    };
    let (serialize, deserialize) = (bound("Serialize"), bound("de::DeserializeOwned"));
    Some(quote!(#[serde(bound(serialize = #serialize, deserialize = #deserialize))]))
}

/// Keeps `missing_docs` quiet. A sentence that says nothing would be repeated by the JSON Schema for every reader.
fn undocumented() -> TokenStream {
    quote!(#[doc = ""])
}
