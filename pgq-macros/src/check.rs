//! What a task's function can't be. Each mistake is one error, on the words that make it, that says what to write.

use pgq_core::literal;
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, FnArg, GenericArgument, GenericParam, Ident, Pat, PatType, PathArguments, Result, ReturnType,
};
use syn::{Safety, Signature, Type, TypeReference};

use crate::errors::{Errors, shown, wrong};
use crate::krate::Krate;
use crate::model::{Context, Field, Payload};
use crate::options::Options;
use crate::parse::{Function, is_for_fields};

/// The function as a whole. A second `#[task]` is taken off it.
pub(crate) fn function(function: &mut Function, krate: &Krate, errors: &mut Errors) {
    let is_task = |attr: &Attribute| is_task(attr, krate);
    for again in function.attrs.extract_if(.., |attr| is_task(attr)) {
        errors.take(wrong::<()>(again, "the function is a task already: keep one of the two attributes"));
    }
    let Signature { constness, safety, abi, generics, variadic, .. } = &function.sig;
    let mut refuse = |tokens: &dyn ToTokens, why: &str| errors.push(Error::new_spanned(tokens, why));
    if let Some(constness) = constness {
        refuse(constness, "a task can't be a `const fn`: write `async fn` or `fn`");
    }
    if let Safety::Unsafe(safety) = safety {
        refuse(safety, "a task can't be an `unsafe fn`: nobody keeps its promises when a worker calls it");
    }
    if let Some(abi) = abi {
        refuse(abi, "a task can't have a foreign ABI: write `async fn` or `fn`");
    }
    if let Some(variadic) = variadic {
        refuse(variadic, "a task can't be variadic: take a `Vec`");
    }
    // A lifetime is told of where it is used.
    let is_lifetime = |param: &&GenericParam| matches!(param, GenericParam::Lifetime(_));
    for param in generics.params.iter().filter(|param| !is_lifetime(param)) {
        refuse(param, "a task can't be generic: its jobs name one function, with types that are known");
    }
    if let Some(clause) = &generics.where_clause {
        refuse(clause, "a task can't have a where clause: it isn't generic");
    }
}

fn is_task(attr: &Attribute, krate: &Krate) -> bool {
    let mut words = attr.path().segments.iter().map(|segment| &segment.ident).rev();
    words.next().is_some_and(|last| last == "task") && words.next().is_none_or(|owner| krate.is_named(owner))
}

/// The name under which its jobs are stored, and its earlier ones.
pub(crate) fn names(function: &Ident, options: &Options, errors: &mut Errors) {
    let own = function.unraw().to_string();
    let canonical = options.name.as_ref().map_or(own, syn::LitStr::value);
    if let Err(error) = literal::name(&canonical) {
        errors.take(wrong::<()>(function, format!("{error}: give the task one with `name = \"…\"`")));
    }
    let mut seen = vec![canonical];
    for alias in &options.aliases {
        if seen.contains(&alias.value()) {
            errors.take(wrong::<()>(alias, format!("the task has the name \"{}\" already", alias.value())));
        }
        seen.push(alias.value());
    }
}

/// The type that it returns.
pub(crate) fn output(sig: &Signature) -> Result<()> {
    let ReturnType::Type(_, ty) = &sig.output else {
        return wrong(&sig.ident, "expected a task that returns a `Result`: write `-> Result<(), pgq::BoxError>`");
    };
    let found = found(ty, |token, next| {
        is(token, "impl") || is(token, "&") && !next.is_some_and(|next| is(next, "'")) || is_elided(token, next)
    });
    match found {
        Some(token) if is(&token, "impl") && sig.asyncness.is_none() => {
            wrong(ty, "expected a `Result` of types with names, got `impl`: write `async fn` for a future")
        }
        Some(token) if is(&token, "impl") => wrong(token, "expected a type with a name, got `impl`"),
        Some(token) => wrong(token, "expected a type that owns what it holds: the task's result outlives its call"),
        None => Ok(()),
    }
}

/// What a parameter is for.
pub(crate) enum Parameter {
    Context(Context),
    Payload(Box<Field>),
    Transaction,
}

/// Tells what a parameter is for, or `None` where that can't be told.
pub(crate) fn parameter(position: usize, input: &FnArg, context: bool, errors: &mut Errors) -> Option<Parameter> {
    let input = match input {
        FnArg::Typed(input) => input,
        FnArg::Receiver(receiver) => {
            errors.take(wrong::<()>(
                receiver,
                "a task is a free function: what `self` gives comes as `Context<R>` instead",
            ));
            return None;
        }
    };
    let ty = peel(&input.ty);
    if let Type::Reference(reference) = ty {
        return borrowed(reference, input, errors);
    }
    if !is_named(ty, "Context") {
        return errors.take(payload(input)).map(Box::new).map(Parameter::Payload);
    }
    if context {
        errors.take(wrong::<()>(ty, "a task has one context: take this one away"));
    } else if position > 0 {
        errors.take(wrong::<()>(ty, "the context is the first parameter: move it there"));
    }
    errors.take(plain(input, true).map(|_| ()));
    errors.take(resources(ty)).map(|resources| Parameter::Context(Context::of(input, resources)))
}

fn borrowed(reference: &TypeReference, input: &PatType, errors: &mut Errors) -> Option<Parameter> {
    let owned = peel(&reference.elem);
    let (known, why) = if is_named(owned, "Tx") {
        (Some(Parameter::Transaction), "a task that takes the attempt's transaction isn't there yet".to_owned())
    } else if is_named(owned, "Context") {
        let context = Parameter::Context(Context::of(input, resources(owned).ok()?));
        (Some(context), format!("the context is taken by value: write `{}`", shown(owned)))
    } else {
        let owned = match owned {
            Type::Slice(slice) => format!("Vec<{}>", shown(&slice.elem)),
            Type::Path(path) if path.path.is_ident("str") => "String".to_owned(),
            _ => shown(owned),
        };
        (None, format!("a task owns its arguments, which are read from the job: write `{owned}`"))
    };
    errors.take(wrong::<()>(reference, why));
    known
}

/// The `R` of `Context<R>`.
fn resources(ty: &Type) -> Result<Option<Box<Type>>> {
    let Type::Path(path) = ty else { return Ok(None) };
    match path.path.segments.last().map(|segment| &segment.arguments) {
        Some(PathArguments::AngleBracketed(arguments)) => match arguments.args.iter().collect::<Vec<_>>()[..] {
            [GenericArgument::Type(resources)] => Ok(Some(Box::new(resources.clone()))),
            _ => wrong(arguments, "expected `Context` or `Context<Resources>`"),
        },
        Some(PathArguments::Parenthesized(arguments)) => wrong(arguments, "expected `Context` or `Context<Resources>`"),
        _ => Ok(None),
    }
}

fn payload(input: &PatType) -> Result<Field> {
    let ident = plain(input, false)?;
    match found(&input.ty, |token, next| is(token, "impl") || is(token, "&") || is_elided(token, next)) {
        Some(token) if is(&token, "impl") => {
            wrong(&input.ty, "expected a type with a name, got `impl`: arguments are read from the job")
        }
        Some(token) => wrong(token, "expected a type that owns what it holds: arguments are read from the job"),
        None => Ok(Field::of(input, &ident)),
    }
}

/// The name of a parameter; a context may also be `_`, because nothing else is called after it.
fn plain(input: &PatType, context: bool) -> Result<Ident> {
    match &*input.pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => Ok(pat.ident.clone()),
        Pat::Wild(wild) if context => Ok(Ident::new("_context", wild.span())),
        Pat::Wild(wild) => wrong(wild, "expected a name, got `_`: it is the name of the payload's field"),
        pat => wrong(pat, "expected a name, got a pattern: take the value apart in the body"),
    }
}

/// A lifetime that no parameter uses, so that there is no error yet.
pub(crate) fn lifetimes(sig: &Signature) -> Result<()> {
    match sig.generics.params.first() {
        Some(lifetime @ GenericParam::Lifetime(_)) => {
            wrong(lifetime, "a task can't have a lifetime: it owns its arguments")
        }
        _ => Ok(()),
    }
}

/// Attributes that would have to move to a field that isn't generated, or would change what a job carries unseen.
pub(crate) fn moved_attributes(function: &Function, context: bool, payload: &Payload, errors: &mut Errors) {
    let many = matches!(payload, Payload::Many { .. } | Payload::Unknown);
    for attr in function.attrs.iter().filter(|attr| !many && is_for_fields(attr)) {
        errors
            .take(wrong::<()>(attr, "this belongs on a struct, and one is generated only for two payload parameters"));
    }
    for (position, input) in function.sig.inputs.iter().enumerate() {
        let FnArg::Typed(input) = input else { continue };
        let why = match () {
            () if context && position == 0 => "this belongs on a field, and the context has none",
            () if many => continue,
            () => "this belongs on a field, and a single parameter is the payload itself: put it into the type",
        };
        for attr in &input.attrs {
            if is_for_fields(attr) {
                errors.take(wrong::<()>(attr, why));
            } else if attr.path().is_ident("cfg") {
                errors
                    .take(wrong::<()>(attr, "put the `cfg` on the function: without this parameter it's another task"));
            }
        }
    }
}

/// The type without the invisible group that a `macro_rules!` fragment stands in, and without parentheses.
fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => peel(&group.elem),
        Type::Paren(paren) => peel(&paren.elem),
        _ => ty,
    }
}

fn is_named(ty: &Type, name: &str) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == name))
}

/// The first token of the type, at any depth, that `wanted` (given the one after it) holds for.
fn found(ty: &Type, wanted: impl Fn(&TokenTree, Option<&TokenTree>) -> bool) -> Option<TokenTree> {
    within(ty.to_token_stream(), &wanted)
}

fn within(tokens: TokenStream, wanted: &impl Fn(&TokenTree, Option<&TokenTree>) -> bool) -> Option<TokenTree> {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let deeper = match &token {
            token if wanted(token, tokens.peek()) => Some(token.clone()),
            TokenTree::Group(group) => within(group.stream(), wanted),
            _ => None,
        };
        if deeper.is_some() {
            return deeper;
        }
    }
    None
}

fn is(token: &TokenTree, word: &str) -> bool {
    match token {
        TokenTree::Ident(ident) => ident == word,
        TokenTree::Punct(punct) => word.chars().eq([punct.as_char()]),
        _ => false,
    }
}

/// Whether a lifetime other than `'static` begins here.
fn is_elided(token: &TokenTree, next: Option<&TokenTree>) -> bool {
    is(token, "'") && !next.is_some_and(|next| is(next, "static"))
}
