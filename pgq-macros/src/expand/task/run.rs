//! `Task::run`: the one place that calls the user's function.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use super::{placed, resources};
use crate::model::{Payload, Task};

pub(super) fn function(task: &Task) -> TokenStream {
    let (krate, at) = (&task.options.krate, placed(task.function.sig.ident.span()));
    let (context, args) = (context(at), args(at));
    let resources = resources(task);
    let body = if task.sound { body(task, at) } else { quote!(::core::unreachable!()) };
    // What isn't used is bound to nothing: `_context` would be a name, and lints have opinions about those.
    let context = if task.sound && task.context.is_some() { quote!(#context) } else { quote!(_) };
    let args = if task.sound && !matches!(task.payload, Payload::Nothing) { quote!(#args) } else { quote!(_) };
    quote_spanned! {at=>
        async fn run(
            #context: #krate::Context<#resources>,
            #args: Self::Args,
        ) -> ::core::result::Result<Self::Output, #krate::__private::HandlerError> {
            #body
        }
    }
}

fn body(task: &Task, at: Span) -> TokenStream {
    let (krate, ident) = (&task.options.krate, &task.function.sig.ident);
    let (context, payload) = (context_argument(task), payload_arguments(task, at));
    let call = quote_spanned!(at=> #ident(#context #(#payload),*));
    if task.function.sig.asyncness.is_some() {
        quote_spanned!(at=> #krate::__private::TaskResult::read(#call.await))
    } else {
        // The result is read on the blocking thread, so that an error needn't be `Send` to get here.
        quote_spanned!(at=> #krate::__private::blocking(move || #krate::__private::TaskResult::read(#call)).await)
    }
}

/// The context, where the user wrote its type: if that's another `Context`, the error belongs there.
fn context_argument(task: &Task) -> Option<TokenStream> {
    let context = context(placed(task.context.as_ref()?.span));
    Some(quote!(#context,))
}

fn payload_arguments(task: &Task, at: Span) -> Vec<TokenStream> {
    let args = args(at);
    match &task.payload {
        Payload::Nothing | Payload::Unknown => Vec::new(),
        Payload::One(_) => vec![quote!(#args)],
        Payload::Many { fields, .. } => fields
            .iter()
            .map(|field| {
                let (cfgs, ident) = (&field.cfgs, &field.ident);
                quote_spanned!(at=> #(#cfgs)* #args.#ident)
            })
            .collect(),
    }
}

// Long, because a pattern means a constant of the same name if the user has one.
fn context(at: Span) -> Ident {
    Ident::new("__pgq_context", at)
}

fn args(at: Span) -> Ident {
    Ident::new("__pgq_args", at)
}
