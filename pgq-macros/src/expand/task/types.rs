//! The types of `Task`. Each stands in all its parts where the user wrote what it is made of: what is wrong with a type is
//! told there, and once, because the compiler tells what it has told already only if it is somewhere else.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;

use super::{args, placed};
use crate::model::{Payload, Task};

pub(super) fn associated(task: &Task) -> TokenStream {
    let (args, resources, output) = (args::ty(task), resources(task), output(task));
    let [for_args, for_resources, for_output] = [args.span(), resources.span(), output.span()].map(placed);
    let args = quote_spanned!(for_args=> type Args = #args;);
    let resources = quote_spanned!(for_resources=> type Resources = #resources;);
    let output = quote_spanned!(for_output=> type Output = #output;);
    quote!(#args #resources #output)
}

/// The `R` of its `Context<R>`.
pub(super) fn resources(task: &Task) -> TokenStream {
    let written = task.context.as_ref().and_then(|context| context.resources.as_ref());
    written.map_or_else(|| quote!(()), ToTokens::to_token_stream)
}

fn output(task: &Task) -> TokenStream {
    let Some(ty) = &task.output else { return quote!(()) };
    let at = returned(task);
    let krate = task.options.krate.at(at);
    quote_spanned!(at=> <#ty as #krate::__private::TaskResult>::Output)
}

/// The schema of its arguments.
pub(super) fn schema(task: &Task) -> TokenStream {
    if !task.options.schema || matches!(task.payload, Payload::Unknown) {
        return quote!(::core::option::Option::None);
    }
    let (krate, args) = (&task.options.krate, args::ty(task));
    quote!(#krate::__private::schema_of::<#args>())
}

/// Where the user wrote what the function returns.
pub(super) fn returned(task: &Task) -> Span {
    placed(task.output.as_ref().map_or_else(|| task.function.sig.ident.span(), Spanned::span))
}
