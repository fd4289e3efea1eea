//! `#[task]`: the function as it is, and beside it a type of the same name that is the task.

mod args;
mod inherent;
mod limit_key;
mod options;
mod run;
mod types;

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Path, parse_quote};

use crate::errors::Errors;
use crate::fallback;
use crate::model::Task;
use crate::options::Options;
use crate::parse::Function;
use crate::spans::placed;

pub(crate) fn task(attr: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = Options::of_task(attr, &mut errors);
    function_of(options, item, errors)
}

/// `#[schedule]`: a task whose jobs are made by themselves.
pub(crate) fn schedule(attr: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = Options::of_schedule(attr, &mut errors);
    function_of(options, item, errors)
}

fn function_of(options: Options, item: &TokenStream, mut errors: Errors) -> TokenStream {
    let function = match Function::of(item) {
        Ok(function) => function,
        Err(error) => return fallback::item(item, errors, error),
    };
    let task = Task::read(options, function, &mut errors);
    if let Some(FnArg::Receiver(_)) = task.function.sig.inputs.first() {
        return fallback::method(&task.function, &errors);
    }
    let expanded = expand(&task);
    quote!(#expanded #errors)
}

fn expand(task: &Task) -> TokenStream {
    let function = function(task);
    let arguments = args::structure(task);
    let marker = marker(task);
    let implementation = implementation(task);
    let inherent = inherent::functions(task);
    quote!(#function #arguments #marker #implementation #inherent)
}

/// The function as it is. What a task has to look like (async, a `Result`, a context by value) isn't for a lint to question.
fn function(task: &Task) -> TokenStream {
    let function = task.function.stripped();
    quote! {
        #[allow(clippy::needless_pass_by_value, clippy::unnecessary_wraps, clippy::unused_async)]
        #function
    }
}

/// The type. Braces keep it out of the value namespace, where the function is. In an `impl` without `self`, which a macro
/// can't see, the compiler refuses it at its keyword: that stands at the function's name.
fn marker(task: &Task) -> TokenStream {
    let (vis, ident) = (&task.function.vis, &task.function.sig.ident);
    let keyword = quote_spanned!(placed(ident.span())=> struct);
    let mut docs: Vec<&Attribute> = task.function.attributes("doc").collect();
    let generated;
    if docs.is_empty() {
        let text = format!(" The task `{}`.", ident.unraw());
        generated = parse_quote!(#[doc = #text]);
        docs.push(&generated);
    }
    quote! {
        #(#docs)*
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #[allow(dead_code, non_camel_case_types, unreachable_pub)]
        #vis #keyword #ident {}
    }
}

fn implementation(task: &Task) -> TokenStream {
    let (krate, ident, options) = (&task.options.krate, &task.function.sig.ident, &task.options);
    let name = options.name.as_ref().map_or_else(|| ident.unraw().to_string(), syn::LitStr::value);
    let aliases = &options.aliases;
    let types = types::associated(task);
    let declared = options::declared(options);
    let location = location(ident);
    let (schema, registration) = (types::schema(task), registration(task));
    let blocking = task.function.sig.asyncness.is_none().then(|| {
        quote!(
            const BLOCKING: ::core::primitive::bool = true;
        )
    });
    let (layers, limit_key, run) = (layers(task), limit_key::function(task), run::function(task));
    let implements = implements(ident);
    let calls_deprecated = task.function.attributes("deprecated").next().map(|_| quote!(#[allow(deprecated)]));
    quote! {
        #[automatically_derived]
        #calls_deprecated
        #implements #krate::Task for #ident {
            #types

            const NAME: &'static ::core::primitive::str = #name;
            const ALIASES: &'static [&'static ::core::primitive::str] = &[#(#aliases),*];
            const OPTIONS: #krate::TaskOptions = #declared;
            const LOCATION: #krate::__private::Location = #krate::__private::Location {
                krate: ::core::env!("CARGO_PKG_NAME"),
                #location
            };

            #blocking

            fn schema() -> ::core::option::Option<#krate::__private::Value> {
                #registration
                #schema
            }

            #layers

            #limit_key

            #run
        }
    }
}

/// Each at its own path, where a layer that isn't one is refused.
fn layers(task: &Task) -> Option<TokenStream> {
    let krate = &task.options.krate;
    let layer = |path: &Path| {
        let at = placed(path.span());
        let krate = krate.at(at);
        quote_spanned!(at=> #krate::__private::layer::<Self::Resources>(#path))
    };
    let layers: Vec<_> = task.options.layers.iter().map(layer).collect();
    (task.sound && !layers.is_empty()).then(|| {
        quote! {
            fn layers() -> ::std::vec::Vec<#krate::__private::Arc<dyn #krate::Layer<Self::Resources>>> {
                ::std::vec![#(#layers),*]
            }
        }
    })
}

/// Where the function's name stands, for the same reason.
fn implements(ident: &Ident) -> TokenStream {
    quote_spanned!(placed(ident.span())=> impl)
}

/// Where the task's name stands. `file!()` and `line!()` would say where the attribute begins.
fn location(ident: &Ident) -> TokenStream {
    if !proc_macro::is_available() {
        return quote!(file: ::core::file!(), line: ::core::line!());
    }
    let span = ident.span().unwrap();
    let (file, line) = (span.file(), u32::try_from(span.line()).unwrap_or_default());
    quote!(file: #file, line: #line)
}

/// Stands within a function: where a macro can't be of use, in an `impl`, each further item is an error of its own.
fn registration(task: &Task) -> Option<TokenStream> {
    let (krate, ident) = (&task.options.krate, &task.function.sig.ident);
    task.sound.then(|| {
        quote! {
            #krate::__private::inventory::submit! {
                #krate::__private::TaskEntry::of::<#ident>()
            }
        }
    })
}
