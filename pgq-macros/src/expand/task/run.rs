//! `Task::run`: the one place that calls the user's function.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Path;

use super::types::{error, resources, returned};
use crate::model::{Field, Payload, Task};
use crate::spans::placed;

pub(super) fn function(task: &Task) -> TokenStream {
    let at = placed(task.function.sig.ident.span());
    let (krate, resources, future) = (&task.options.krate, resources(task), future(task));
    // What isn't used is bound to nothing: `_context` would be a name, and lints have opinions about those.
    let (context, args) = (
        if task.sound && uses_context(task) { context(at) } else { quote!(_) },
        if task.sound && !matches!(task.payload, Payload::Nothing) { args(at) } else { quote!(_) },
    );
    let body = if task.sound { body(task) } else { quote!(async { ::core::unreachable!() }) };
    quote_spanned! {at=>
        fn run(#context: #krate::Context<#resources>, #args: Self::Args) -> #future {
            #body
        }
    }
}

fn uses_context(task: &Task) -> bool {
    let is_blocking = task.function.sig.asyncness.is_none();
    is_blocking || task.context.is_some() || task.transaction.is_some() || task.options.on_error.is_some()
}

/// What `run` returns, from the first to the last word of what the function returns.
fn future(task: &Task) -> TokenStream {
    let (first, last) = returned(task);
    let krate = task.options.krate.at(first);
    let result = quote_spanned!(first=> ::core::result::Result<Self::Output, #krate::__private::HandlerError>);
    let send = quote_spanned!(last=> ::core::marker::Send);
    quote_spanned!(first=> impl ::core::future::Future<Output = #result> + #send)
}

fn body(task: &Task) -> TokenStream {
    let (call, at, read) = (call(task), placed(task.function.sig.ident.span()), read(task));
    let (krate, attempt) = (task.options.krate.at(at), local("__pgq_attempt", at));
    let is_async = task.function.sig.asyncness.is_some();
    let begun = match (is_async, &task.options.on_error) {
        (true, None) => quote_spanned!(at=> #krate::__private::attempt(#call, #read)),
        (false, None) => {
            let context = context(at);
            let own = quote_spanned!(at=> ::core::clone::Clone::clone(&#context));
            quote_spanned!(at=> #krate::__private::blocking_attempt(#own, move || #call, #read))
        }
        (_, Some(judge)) => judged(task, &call, judge, is_async),
    };
    let begun = if task.transaction.is_some() { within_transaction(task, &begun) } else { begun };
    // Handed on as it is, it would be looked into once more for what isn't `Send`.
    quote_spanned!(at=> let #attempt = #begun; async move { #attempt.await })
}

/// In the attempt's transaction, which a handler that succeeded leaves to its completion.
fn within_transaction(task: &Task, begun: &TokenStream) -> TokenStream {
    let at = placed(task.function.sig.ident.span());
    let (krate, context, tx) = (task.options.krate.at(at), context(at), transaction(at));
    let (own, ended) = (local("__pgq_own", at), local("__pgq_ended", at));
    quote_spanned! {at=>
        async move {
            let #tx = #krate::__private::begin(&#context).await?;
            let #own = ::core::clone::Clone::clone(&#context);
            let #ended = { #begun }.await;
            #krate::__private::leave(&#own, #tx, #ended)
        }
    }
}

/// With the number of the attempt, which is read before the context is given away.
fn judged(task: &Task, call: &TokenStream, judge: &Path, is_async: bool) -> TokenStream {
    let at = placed(task.function.sig.ident.span());
    let (krate, context, number) = (task.options.krate.at(at), context(at), local("__pgq_number", at));
    let attempt = if is_async {
        quote_spanned!(at=> #krate::__private::judged_attempt(#call, #judge, #number))
    } else {
        let own = quote_spanned!(at=> ::core::clone::Clone::clone(&#context));
        quote_spanned!(at=> #krate::__private::judged_blocking_attempt(#own, move || #call, #judge, #number))
    };
    quote_spanned! {at=>
        {
            let #number = #context.attempt();
            #attempt
        }
    }
}

/// The function that reads the result.
fn read(task: &Task) -> TokenStream {
    let (error, (first, last)) = (error(task), returned(task));
    let close = quote_spanned!(last=> >);
    let krate = task.options.krate.at(first);
    quote_spanned!(first=> #krate::__private::TaskResult::read::<#error #close)
}

fn call(task: &Task) -> TokenStream {
    let ident = &task.function.sig.ident;
    let at = placed(ident.span());
    // Where the user wrote its type: if that is another `Context`, the error belongs there.
    let context = task.context.as_ref().map(|written| context(placed(written.span)));
    let transaction = task.transaction.map(|written| {
        let tx = transaction(placed(written));
        quote_spanned!(placed(written)=> &#tx)
    });
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
    let arguments = context.chain(transaction).chain(payload);
    quote_spanned!(at=> #ident(#(#arguments),*))
}

fn context(at: Span) -> TokenStream {
    local("__pgq_context", at)
}

fn transaction(at: Span) -> TokenStream {
    local("__pgq_tx", at)
}

fn args(at: Span) -> TokenStream {
    local("__pgq_args", at)
}

/// A local name, longer than it looks well, because in a pattern it would mean a constant of that name if the user had one.
fn local(name: &str, at: Span) -> TokenStream {
    let ident = Ident::new(name, at);
    quote!(#ident)
}
