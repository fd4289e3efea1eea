//! What a parameter of a task is for, told from its type, and what it can't be.

use proc_macro2::Ident;
use syn::spanned::Spanned;
use syn::{FnArg, GenericArgument, Pat, PatType, PathArguments, Result, Type, TypeReference};

use super::words::{found, is, reference};
use crate::errors::{Errors, shown, wrong};
use crate::model::{Context, Field};

/// What a parameter is for.
pub(crate) enum Parameter {
    Context(Context),
    Payload(Box<Field>),
    /// The attempt's transaction, by its type.
    Transaction(TypeReference),
}

/// Tells what a parameter is for, or `None` where that can't be told.
pub(crate) fn parameter(position: usize, input: &FnArg, context: bool, errors: &mut Errors) -> Option<Parameter> {
    let input = match input {
        FnArg::Typed(input) => input,
        FnArg::Receiver(receiver) => {
            errors.refuse(receiver, "a task is a free function: what `self` gives comes as `Context<R>` instead");
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
        errors.refuse(ty, "a task has one context: take this one away");
    } else if position > 0 {
        errors.refuse(ty, "the context is the first parameter: move it there");
    }
    errors.take(plain(input, true).map(|_| ()));
    errors.take(resources(ty)).map(|resources| Parameter::Context(Context::of(input, resources)))
}

const CONTEXT: &str = "expected `pgq::Context` or `pgq::Context<Resources>`";

fn borrowed(reference: &TypeReference, input: &PatType, errors: &mut Errors) -> Option<Parameter> {
    let owned = peel(&reference.elem);
    if is_named(owned, "Tx") {
        errors.take(plain(input, true).map(|_| ()));
        return Some(Parameter::Transaction(reference.clone()));
    }
    let (known, why) = if is_named(owned, "Context") {
        let context = Parameter::Context(Context::of(input, resources(owned).ok().flatten()));
        (Some(context), format!("the context is taken by value: write `{}`", shown(owned)))
    } else {
        let owned = match owned {
            Type::Slice(slice) => format!("Vec<{}>", shown(&slice.elem)),
            Type::Path(path) if path.path.is_ident("str") => "String".to_owned(),
            _ => shown(owned),
        };
        (None, format!("a task owns its arguments, which are read from the job: write `{owned}`"))
    };
    errors.refuse(reference, why);
    known
}

/// Whether the attempt's transaction can be taken so, and here.
pub(crate) fn transaction(ty: &TypeReference, is_async: bool, is_first: bool, before_arguments: bool) -> Result<()> {
    let why = match () {
        () if ty.mutability.is_some() => {
            return wrong(ty, format!("the attempt's transaction is shared: write `&{}`", shown(&ty.elem)));
        }
        () if !is_async => "a blocking task can't take the attempt's transaction: write `async fn`",
        () if !is_first => "an attempt has one transaction: take this one away",
        () if !before_arguments => "the attempt's transaction comes before the arguments: move it there",
        () => return Ok(()),
    };
    wrong(ty, why)
}

/// The `R` of `Context<R>`.
fn resources(ty: &Type) -> Result<Option<Box<Type>>> {
    let Type::Path(path) = ty else { return Ok(None) };
    match path.path.segments.last().map(|segment| &segment.arguments) {
        Some(PathArguments::AngleBracketed(arguments)) => match arguments.args.iter().collect::<Vec<_>>()[..] {
            // With more than one, the compiler says that itself.
            [GenericArgument::Type(resources), ..] => Ok(Some(Box::new(resources.clone()))),
            _ => wrong(ty, CONTEXT),
        },
        Some(PathArguments::Parenthesized(_)) => wrong(ty, CONTEXT),
        _ => Ok(None),
    }
}

fn payload(input: &PatType) -> Result<Field> {
    let ident = plain(input, false)?;
    if found(&input.ty, |token, _| is(token, "impl")).is_some() {
        return wrong(&input.ty, "expected a type with a name, got `impl`: arguments are read from the job");
    }
    match reference(&input.ty) {
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
