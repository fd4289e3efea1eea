//! `Task::limit_key`: the functions that make limit keys of the arguments.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Path;
use syn::spanned::Spanned;

use crate::model::Task;
use crate::options::{Limit, LimitKey};
use crate::spans::placed;

/// Where the task has such functions.
pub(super) fn function(task: &Task) -> Option<TokenStream> {
    let arms = |(position, limit): (usize, &Limit)| match &limit.key {
        Some(LimitKey::Function(path)) => Some(arm(task, position, path)),
        _ => None,
    };
    let arms: Vec<_> = task.options.limits.others.iter().enumerate().filter_map(arms).collect();
    let (position, args) = (local("__pgq_position", Span::mixed_site()), args(Span::mixed_site()));
    (task.sound && !arms.is_empty()).then(|| {
        quote! {
            fn limit_key(
                #position: ::core::primitive::usize,
                #args: &Self::Args,
            ) -> ::core::option::Option<::std::string::String> {
                match #position {
                    #(#arms)*
                    _ => ::core::option::Option::None,
                }
            }
        }
    })
}

/// Called as it is, at its own path: what is wrong with what it takes or returns is told there, and it may borrow.
fn arm(task: &Task, position: usize, path: &Path) -> TokenStream {
    let at = placed(path.span());
    let (krate, args) = (task.options.krate.at(at), args(at));
    quote_spanned!(at=> #position => ::core::option::Option::Some(#krate::__private::limit_key(&#path(#args))),)
}

fn args(at: Span) -> Ident {
    local("__pgq_args", at)
}

/// As in `run`: in a pattern it would mean a constant of that name if the user had one.
fn local(name: &str, at: Span) -> Ident {
    Ident::new(name, at)
}
