//! `Task::run`: the one place that calls the user's function.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use super::types::{error, resources};
use crate::model::{Field, Payload, Task};
use crate::spans::placed;

pub(super) fn function(task: &Task) -> TokenStream {
    let at = placed(task.function.sig.ident.span());
    let (krate, resources, result) = (&task.options.krate, resources(task), result(task));
    // What isn't used is bound to nothing: `_context` would be a name, and lints have opinions about those.
    let (context, args) = (
        if task.sound && task.context.is_some() { context(at) } else { quote!(_) },
        if task.sound && !matches!(task.payload, Payload::Nothing) { args(at) } else { quote!(_) },
    );
    let body = if task.sound { body(task) } else { quote!(async { ::core::unreachable!() }) };
    quote_spanned! {at=>
        fn run(
            #context: #krate::Context<#resources>,
            #args: Self::Args,
        ) -> impl ::core::future::Future<Output = #result> + ::core::marker::Send {
            #body
        }
    }
}

fn result(task: &Task) -> TokenStream {
    let at = placed(task.function.sig.ident.span());
    let krate = task.options.krate.at(at);
    quote_spanned!(at=> ::core::result::Result<Self::Output, #krate::__private::HandlerError>)
}

fn body(task: &Task) -> TokenStream {
    let (call, at) = (call(task), placed(task.function.sig.ident.span()));
    let krate = task.options.krate.at(at);
    let handled = local("__pgq_handled", at);
    if task.function.sig.asyncness.is_some() {
        // The arguments aren't kept beside the handler's future: it is the one that has to be `Send`.
        let read = read(task, &quote_spanned!(at=> #handled.await));
        quote_spanned!(at=> let #handled = #krate::__private::sendable(#call); async move { #read })
    } else {
        // The result is read on the blocking thread, so that an error needn't be `Send` to get here.
        let read = read(task, &call);
        quote_spanned!(at=> #krate::__private::blocking(move || { #read }))
    }
}

/// The function's result, with its error read.
fn read(task: &Task, result: &TokenStream) -> TokenStream {
    let (at, error) = (placed(task.function.sig.ident.span()), error(task));
    let krate = task.options.krate.at(at);
    quote_spanned! {at=>
        #krate::__private::TaskResult::into_result(#result).map_err(#krate::__private::HandlerError::new::<#error>)
    }
}

fn call(task: &Task) -> TokenStream {
    let ident = &task.function.sig.ident;
    let at = placed(ident.span());
    // Where the user wrote its type: if that is another `Context`, the error belongs there.
    let context = task.context.as_ref().map(|written| context(placed(written.span)));
    let (context, args) = (context.into_iter(), args(at));
    let payload = match &task.payload {
        Payload::Nothing | Payload::Unknown => Vec::new(),
        Payload::One(_) => vec![args],
        Payload::Many { fields, .. } => {
            let argument = |field: &Field| {
                let (cfgs, ident) = (&field.cfgs, &field.ident);
                quote_spanned!(at=> #(#cfgs)* #args.#ident)
            };
            fields.iter().map(argument).collect()
        }
    };
    let arguments = context.chain(payload);
    quote_spanned!(at=> #ident(#(#arguments),*))
}

fn context(at: Span) -> TokenStream {
    local("__pgq_context", at)
}

fn args(at: Span) -> TokenStream {
    local("__pgq_args", at)
}

/// A local name, longer than it looks well, because in a pattern it would mean a constant of that name if the user had one.
fn local(name: &str, at: Span) -> TokenStream {
    let ident = Ident::new(name, at);
    quote!(#ident)
}
