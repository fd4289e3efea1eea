//! The types of `Task`. Each stands in all its parts where the user wrote what it is made of: what is wrong with a type is
//! told there, and once, because the compiler tells what it has told already only if it is somewhere else.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};

use super::args;
use crate::check::result_argument;
use crate::model::{Payload, Task};
use crate::spans::{ends, generated};

pub(super) fn associated(task: &Task) -> TokenStream {
    let (args, resources, output) = (args::ty(task), resources(task), output(task));
    let associated = |name: &str, ty: &TokenStream| {
        let (first, last) = ends(ty);
        let (name, end) = (Ident::new(name, first), quote_spanned!(last=> ;));
        quote_spanned!(first=> type #name = #ty #end)
    };
    let types = [("Args", &args), ("Resources", &resources), ("Output", &output)];
    types.iter().map(|(name, ty)| associated(name, ty)).collect()
}

/// The `R` of its `Context<R>`.
pub(super) fn resources(task: &Task) -> TokenStream {
    let written = task.context.as_ref().and_then(|context| context.resources.as_ref());
    written.map_or_else(|| quote!(()), ToTokens::to_token_stream)
}

/// The `T` of its `Result<T, E>`.
pub(super) fn output(task: &Task) -> TokenStream {
    part(task, 0, "Output").unwrap_or_else(|| quote!(()))
}

/// The `E` of its `Result<T, E>`.
pub(super) fn error(task: &Task) -> TokenStream {
    part(task, 1, "Error").unwrap_or_else(|| quote!(_))
}

/// A part of what the function returns, from the first to the last word that the user wrote for it. The type within is
/// placed like the rest: the compiler would tell the same of it twice, as of the user's word and as of a generated one.
fn part(task: &Task, index: usize, name: &str) -> Option<TokenStream> {
    let ty = task.output.as_ref()?;
    let (first, last) = ends(result_argument(ty, index).unwrap_or(ty));
    let (krate, result, name) = (task.options.krate.at(first), generated(ty), Ident::new(name, last));
    let close = quote_spanned!(last=> >::);
    Some(quote_spanned!(first=> < #result as #krate::__private::TaskResult #close #name))
}

/// Where the user wrote what the function returns.
pub(super) fn returned(task: &Task) -> (Span, Span) {
    task.output.as_ref().map_or_else(|| ends(&task.function.sig.ident), ends)
}

/// The schema of its arguments.
pub(super) fn schema(task: &Task) -> TokenStream {
    if !task.options.schema || matches!(task.payload, Payload::Unknown) {
        return quote!(::core::option::Option::None);
    }
    let (krate, args) = (&task.options.krate, args::ty(task));
    quote!(#krate::__private::schema_of::<#args>())
}
