//! What a task's function can't be. Each mistake is one error, on the words that make it, that says what to write.

mod parameter;
mod renamed;
mod words;

use pgq_core::literal;
use syn::ext::IdentExt;
use syn::{
    Attribute, FnArg, GenericArgument, GenericParam, Ident, LitStr, PathArguments, Result, ReturnType, Safety,
    Signature, Type, TypePath,
};

pub(crate) use parameter::{Parameter, parameter, transaction};

use crate::errors::{Errors, shown, wrong};
use crate::krate::Krate;
use crate::model::{Field, Payload};
use crate::options::{Key, LimitKey, Options, Unique, unknown};
use crate::parse::{Function, is_for_fields};
pub(crate) use words::{elided, reference};
use words::{found, is};

/// The function as a whole. A second `#[task]` is taken off it.
pub(crate) fn function(function: &mut Function, krate: &Krate, errors: &mut Errors) {
    let is_task = |attr: &Attribute| is_task(attr, krate);
    for again in function.attrs.extract_if(.., |attr| is_task(attr)) {
        errors.refuse(again, "the function is a task already: keep one of the two attributes");
    }
    let Signature { constness, safety, abi, generics, variadic, .. } = &function.sig;
    if let Some(constness) = constness {
        errors.refuse(constness, "a task can't be a `const fn`: write `async fn` or `fn`");
    }
    if let Safety::Unsafe(safety) = safety {
        errors.refuse(safety, "a task can't be an `unsafe fn`: nobody keeps its promises when a worker calls it");
    }
    if let Some(abi) = abi {
        errors.refuse(abi, "a task can't have a foreign ABI: write `async fn` or `fn`");
    }
    if let Some(variadic) = variadic {
        errors.refuse(variadic, "a task can't be variadic: take a `Vec`");
    }
    // A lifetime is told of where it is used.
    let is_lifetime = |param: &&GenericParam| matches!(param, GenericParam::Lifetime(_));
    for param in generics.params.iter().filter(|param| !is_lifetime(param)) {
        errors.refuse(param, "a task can't be generic: its jobs name one function, with types that are known");
    }
    if let Some(clause) = &generics.where_clause {
        errors.refuse(clause, "a task can't have a where clause: it isn't generic");
    }
}

fn is_task(attr: &Attribute, krate: &Krate) -> bool {
    let mut words = attr.path().segments.iter().map(|segment| &segment.ident).rev();
    words.next().is_some_and(|last| last == "task" || last == "schedule")
        && words.next().is_none_or(|owner| krate.is_named(owner))
}

/// The name under which its jobs are stored, and its earlier ones.
pub(crate) fn names(function: &Ident, options: &Options, errors: &mut Errors) {
    let own = function.unraw().to_string();
    let canonical = options.name.as_ref().map_or(own, LitStr::value);
    if let Err(error) = literal::name(&canonical) {
        errors.refuse(function, format!("{error}: give the task one with `name = \"…\"`"));
    }
    let mut seen = vec![canonical];
    for alias in &options.aliases {
        if seen.contains(&alias.value()) {
            errors.refuse(alias, format!("the task has the name \"{}\" already", alias.value()));
        }
        seen.push(alias.value());
    }
}

/// The type that it returns.
pub(crate) fn output(sig: &Signature) -> Result<()> {
    let ReturnType::Type(_, ty) = &sig.output else {
        return wrong(&sig.ident, "expected a task that returns a `Result`: write `-> Result<(), pgq::BoxError>`");
    };
    if let Some(token) = found(ty, |token, _| is(token, "impl")) {
        return match sig.asyncness {
            Some(_) => wrong(token, "expected a type with a name, got `impl`"),
            None => wrong(ty, "expected a `Result` of types with names, got `impl`: write `async fn` for a future"),
        };
    }
    if is_plain(ty) {
        let shown = shown(ty);
        return wrong(ty, format!("expected a task that returns a `Result`: write `Result<{shown}, pgq::BoxError>`"));
    }
    // A `&'static str` is an error's good right, but what is stored and read back is borrowed from nothing.
    match elided(ty).or_else(|| result_argument(ty, 0).and_then(reference)) {
        Some(token) => wrong(token, "expected a type that owns what it holds: the task's result is stored"),
        None => Ok(()),
    }
}

/// Whether it is plain that the type is no `Result` and no struct, not even an alias of one.
fn is_plain(ty: &Type) -> bool {
    match ty {
        Type::Path(TypePath { qself: None, path, .. }) if path.segments.len() == 1 => {
            path.segments.iter().any(|only| PLAIN.iter().any(|known| only.ident == known))
        }
        Type::Array(_) | Type::Never(_) | Type::Reference(_) | Type::Tuple(_) => true,
        _ => false,
    }
}

const PLAIN: &[&str] = &[
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128",
    "usize", "Option", "String", "Vec",
];

/// The type at an index of `Result<T, E>`, unless it stands behind an alias.
pub(crate) fn result_argument(ty: &Type, index: usize) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Result")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.get(index) {
        Some(GenericArgument::Type(argument)) => Some(argument),
        _ => None,
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
        errors.refuse(attr, "this belongs on a struct, and one is generated only for two payload parameters");
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
                errors.refuse(attr, why);
            } else if attr.path().is_ident("cfg") {
                errors.refuse(attr, "put the `cfg` on the function: without this parameter it's another task");
            }
        }
    }
}

/// That the fields of a unique key are there, where that can be told: serde may give them other names.
pub(crate) fn unique_fields(options: &Options, payload: &Payload, errors: &mut Errors) {
    let Some(Unique { key: Key::Fields(keys), .. }) = &options.unique else { return };
    if let Payload::One(ty) = payload
        && is_plain(ty)
    {
        let got = shown(ty);
        let why = format!("expected a type with fields for a unique key of them, got `{got}`: make it a struct");
        errors.refuse(ty, why);
    }
    known_fields(keys, payload, errors);
}

/// That limit keys can be made of the arguments, where that can be told.
pub(crate) fn limit_keys(options: &Options, payload: &Payload, errors: &mut Errors) {
    let keys = || options.limits.others.iter().filter_map(|limit| limit.key.as_ref());
    if matches!(payload, Payload::Nothing) {
        for key in keys() {
            errors.refuse(key, "expected a task with arguments: there is nothing to make a limit key of");
        }
        return;
    }
    let fields = keys().filter_map(|key| if let LimitKey::Field(field) = key { Some(field) } else { None });
    if let Payload::One(ty) = payload
        && is_plain(ty)
        && fields.clone().next().is_some()
    {
        let got = shown(ty);
        let why = "expected a type with fields for a limit key of one";
        errors.refuse(ty, format!("{why}, got `{got}`: make it a struct, or let a function make the key"));
    }
    let functions = keys().filter_map(|key| if let LimitKey::Function(path) = key { path.get_ident() } else { None });
    not_fields(functions, payload, errors);
    known_fields(fields, payload, errors);
}

/// That what is called as a function isn't an argument whose quotes were forgotten.
fn not_fields<'k>(functions: impl IntoIterator<Item = &'k Ident>, payload: &Payload, errors: &mut Errors) {
    let Payload::Many { fields, .. } = payload else { return };
    let is_field = |name: &&Ident| fields.iter().any(|field| field.ident == **name);
    for name in functions.into_iter().filter(is_field) {
        let why = format!(
            "`{name}` is an argument: write `key = \"{}\"`, or `key = self::{name}` for a function",
            name.unraw()
        );
        errors.refuse(name, why);
    }
}

/// That there are these fields, where no attribute of serde's may give them other names.
fn known_fields<'k>(keys: impl IntoIterator<Item = &'k LitStr>, payload: &Payload, errors: &mut Errors) {
    let known: Vec<String> = match payload {
        Payload::Nothing => Vec::new(),
        Payload::Many { attrs, fields, .. } if !speaks_serde(attrs, fields) => {
            fields.iter().map(|field| field.ident.unraw().to_string()).collect()
        }
        Payload::Many { attrs, fields, .. } => return renamed::known(keys, attrs, fields, errors),
        _ => return,
    };
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    for key in keys.into_iter().filter(|key| !known.contains(&&*key.value())) {
        errors.refuse(key, unknown("argument", &bare(key), &known));
    }
}

fn speaks_serde(attrs: &[Attribute], fields: &[Field]) -> bool {
    let mut all = attrs.iter().chain(fields.iter().flat_map(|field| &field.attrs));
    all.any(|attr| attr.path().is_ident("serde"))
}

/// That a schedule's task takes no arguments. They come last.
pub(crate) fn scheduled(options: &Options, payload: &Payload, function: &Function, errors: &mut Errors) {
    let takes = matches!(payload, Payload::One(_) | Payload::Many { .. });
    if let Some(last) = function.sig.inputs.last().filter(|_| takes && options.schedule.is_some()) {
        errors.refuse(
            last,
            "a schedule's task takes no arguments, as nobody is there to give them: take the context only",
        );
    }
}

/// A text as it reads without its quotes.
fn bare(text: &LitStr) -> proc_macro2::TokenStream {
    text.value().parse().unwrap_or_else(|_| quote::quote!(#text))
}
