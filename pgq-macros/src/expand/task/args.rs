//! The type of the arguments, and the struct that several payload parameters become.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;

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
    let derives = task.options.krate.payload_derives(task.options.schema, &[]);
    let doc = format!(" The arguments of the task `{}`.", task.function.sig.ident.unraw());
    let fields = fields.iter().map(|Field { attrs, cfgs, ident, ty }| {
        let doc = attrs.iter().all(|attr| !attr.path().is_ident("doc")).then(undocumented);
        quote!(#(#attrs)* #doc #(#cfgs)* #vis #ident: #ty)
    });
    Some(quote! {
        #derives
        #[doc = #doc]
        #(#attrs)*
        #[allow(clippy::pub_underscore_fields, non_snake_case, unreachable_pub)]
        #vis struct #name {
            #(#fields,)*
        }
    })
}

/// Keeps `missing_docs` quiet. A sentence that says nothing would be repeated by the JSON Schema for every reader.
fn undocumented() -> TokenStream {
    quote!(#[doc = ""])
}
