//! `Task::run`: the one place that calls the user's function.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use super::placed;
use super::types::{resources, returned};
use crate::model::{Field, Payload, Task};

pub(super) fn function(task: &Task) -> TokenStream {
    let at = placed(task.function.sig.ident.span());
    let (krate, resources, result) = (&task.options.krate, resources(task), result(task));
    // What isn't used is bound to nothing: `_context` would be a name, and lints have opinions about those.
    let (context, args) = (
        if task.sound && task.context.is_some() { context(at) } else { quote!(_) },
        if task.sound && !matches!(task.payload, Payload::Nothing) { args(at) } else { quote!(_) },
    );
    let body = if task.sound { body(task) } else { quote!(::core::unreachable!()) };
    quote_spanned! {at=>
        async fn run(#context: #krate::Context<#resources>, #args: Self::Args) -> #result {
            #body
        }
    }
}

/// What `run` returns, where the user wrote what the function returns.
fn result(task: &Task) -> TokenStream {
    let at = returned(task);
    let krate = task.options.krate.at(at);
    quote_spanned!(at=> ::core::result::Result<Self::Output, #krate::__private::HandlerError>)
}

fn body(task: &Task) -> TokenStream {
    let (call, at) = (call(task), returned(task));
    let krate = task.options.krate.at(at);
    let returned = local("__pgq_returned", at);
    let read = quote_spanned!(at=> #krate::__private::TaskResult::read(#returned));
    if task.function.sig.asyncness.is_some() {
        quote_spanned!(at=> let #returned = #call.await; #read)
    } else {
        // The result is read on the blocking thread, so that an error needn't be `Send` to get here.
        quote_spanned!(at=> #krate::__private::blocking(move || { let #returned = #call; #read }).await)
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
