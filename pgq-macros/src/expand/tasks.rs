//! `tasks![a, b]`: a list of tasks. What is wrong with one of them is told at its place in the list.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Expr, Path, Token};

use crate::errors::{Errors, shown};
use crate::krate::Krate;
use crate::spans::ends;

/// What `pgq::tasks!` hands on: where pgq is, by its own `$crate`, and the list.
struct List {
    krate: Krate,
    tasks: Punctuated<Expr, Token![,]>,
}

impl Parse for List {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let krate = input.call(Path::parse_mod_style)?;
        input.parse::<Token![;]>()?;
        Ok(Self { krate: krate.into(), tasks: Punctuated::parse_terminated(input)? })
    }
}

pub(crate) fn tasks(tokens: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let List { krate, tasks } = match syn::parse2(tokens) {
        Ok(list) => list,
        Err(error) => return error.to_compile_error(),
    };
    let tasks: Vec<Path> = tasks.iter().filter_map(|task| errors.take(path(task))).collect();
    let (names, with) = (names(&krate, &tasks), tasks.iter().map(with));
    quote!({ #errors #names #krate::Tasks::new() #(#with)* })
}

fn path(task: &Expr) -> syn::Result<Path> {
    match task {
        Expr::Path(path) if path.qself.is_none() => Ok(path.path.clone()),
        Expr::Group(group) => path(&group.expr),
        task => {
            let written = match task {
                Expr::Call(call) => format!("write `{}`", shown(&call.func)),
                task => format!("got `{}`", shown(task)),
            };
            Err(syn::Error::new_spanned(task, format!("expected the name of a task: {written}")))
        }
    }
}

/// Constants that can't be evaluated if two tasks have one name; the second of them is where the compiler says so.
fn names(krate: &Krate, tasks: &[Path]) -> Option<TokenStream> {
    let distinct = (1..tasks.len()).map(|index| {
        let (first, last) = ends(&tasks[index]);
        let function = krate.at(first);
        let function = quote_spanned!(first=> #function::__private::distinct);
        let arguments = quote_spanned!(last=> (&__PGQ_NAMES, #index));
        quote!(const _: () = #function #arguments;)
    });
    let count = tasks.len();
    (count > 1).then(|| {
        quote! {
            const __PGQ_NAMES: [::core::option::Option<#krate::__private::Names>; #count] = {
                #[allow(unused_imports)]
                use #krate::__private::Nameless as _;
                [#(#krate::__private::Listed::<#tasks>::NAMES),*]
            };
            #(#distinct)*
        }
    })
}

fn with(task: &Path) -> TokenStream {
    let (_, last) = ends(task);
    let with = quote_spanned!(last=> with);
    quote!(.#with::<#task>())
}
