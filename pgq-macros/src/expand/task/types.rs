//! The types of `Task`. Each stands in all its parts where the user wrote what it is made of: what is wrong with a type is
//! told there, and once, because the compiler tells what it has told already only if it is somewhere else.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned;

use super::args;
use crate::check::result_argument;
use crate::model::{Payload, Task};
use crate::spans::{ends, placed};

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

/// The `T` of its `Result<T, E>`.
fn output(task: &Task) -> TokenStream {
    task.output.as_ref().map_or_else(|| quote!(()), |ty| part(task, ty, result_argument(ty, 0).unwrap_or(ty), "Output"))
}

/// The `E` of its `Result<T, E>`.
pub(super) fn error(task: &Task) -> TokenStream {
    task.output.as_ref().map_or_else(|| quote!(_), |ty| part(task, ty, result_argument(ty, 1).unwrap_or(ty), "Error"))
}

/// A part of what the function returns, from the first to the last word that the user wrote for it.
fn part(task: &Task, result: &Type, written: &Type, name: &str) -> TokenStream {
    let (first, last) = ends(written);
    let (krate, name) = (task.options.krate.at(first), Ident::new(name, last));
    let as_result = quote_spanned!(first=> as #krate::__private::TaskResult);
    let (open, close) = (quote_spanned!(first=> <), quote_spanned!(last=> >::));
    quote!(#open #result #as_result #close #name)
}

/// The schema of its arguments.
pub(super) fn schema(task: &Task) -> TokenStream {
    if !task.options.schema || matches!(task.payload, Payload::Unknown) {
        return quote!(::core::option::Option::None);
    }
    let (krate, args) = (&task.options.krate, args::ty(task));
    quote!(#krate::__private::schema_of::<#args>())
}
