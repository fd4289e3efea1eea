//! What a task is, told from its function: leniently, so that one mistake doesn't unmake the rest.

use std::collections::HashSet;

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, ReturnType, Type};

use crate::check::{self, Parameter};
use crate::errors::Errors;
use crate::options::Options;
use crate::parse::{Function, is_for_fields};

/// All that the expansion needs.
pub(crate) struct Task {
    pub(crate) options: Options,
    pub(crate) function: Function,
    /// Whether the function can be called as its signature reads. Where it can't, everything beside the call is still
    /// generated, so that those who use the task get no errors of their own.
    pub(crate) sound: bool,
    pub(crate) context: Option<Context>,
    /// Where it takes the attempt's transaction.
    pub(crate) transaction: Option<Span>,
    pub(crate) payload: Payload,
    /// The type that the function returns, where it says one that may be named elsewhere.
    pub(crate) output: Option<Type>,
}

/// The `R` of a `Context<R>`; `None` is `()`.
pub(crate) struct Context {
    pub(crate) resources: Option<Box<Type>>,
    pub(crate) span: Span,
}

/// What a job carries.
pub(crate) enum Payload {
    Nothing,
    /// One parameter: its type as it is.
    One(Box<Type>),
    /// Two or more: a struct of that name.
    Many {
        name: Ident,
        attrs: Vec<Attribute>,
        fields: Vec<Field>,
    },
    /// The parameters can't be stored as they are.
    Unknown,
}

/// A payload parameter among others.
pub(crate) struct Field {
    /// Its documentation and the attributes of serde and schemars.
    pub(crate) attrs: Vec<Attribute>,
    /// The `cfg`s, which stay on the parameter too.
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
}

impl Task {
    pub(crate) fn read(options: Options, mut function: Function, errors: &mut Errors) -> Self {
        check::names(&function.sig.ident, &options, errors);
        let before = errors.len();
        check::function(&mut function, &options.krate, errors);
        let output = errors.take(check::output(&function.sig)).and_then(|()| written(&function.sig.output));
        let (mut context, mut transaction, mut fields, mut ownable) = (None, None, Vec::new(), true);
        for (position, input) in function.sig.inputs.iter().enumerate() {
            match check::parameter(position, input, context.is_some(), errors) {
                Some(Parameter::Context(found)) => context = Some(found),
                Some(Parameter::Payload(field)) => fields.push(*field),
                Some(Parameter::Transaction(ty)) => {
                    let is_async = function.sig.asyncness.is_some();
                    errors.take(check::transaction(&ty, is_async, transaction.is_none(), fields.is_empty()));
                    transaction = Some(ty.span());
                }
                None => ownable = false,
            }
        }
        if ownable {
            errors.take(check::lifetimes(&function.sig));
        }
        // Two parameters of one name are an error of the compiler's already, unless a `cfg` leaves but one.
        let mut names = HashSet::new();
        let distinct = fields.iter().filter(|field| field.cfgs.is_empty()).all(|field| names.insert(&field.ident));
        let known = ownable && distinct && function.sig.generics.params.is_empty();
        let payload = if known { payload(&function, fields) } else { Payload::Unknown };
        check::unique_fields(&options, &payload, errors);
        check::limit_keys(&options, &payload, errors);
        check::scheduled(&options, &payload, &function, errors);
        check::moved_attributes(&function, context.is_some(), &payload, errors);
        Self { sound: known && errors.len() == before, options, context, transaction, payload, output, function }
    }
}

fn written(output: &ReturnType) -> Option<Type> {
    match output {
        ReturnType::Default => None,
        ReturnType::Type(_, ty) => Some((**ty).clone()),
    }
}

fn payload(function: &Function, mut fields: Vec<Field>) -> Payload {
    match fields.len() {
        0 => Payload::Nothing,
        1 => fields.pop().map_or(Payload::Nothing, |field| Payload::One(Box::new(field.ty))),
        _ => Payload::Many {
            name: args_name(&function.sig.ident),
            attrs: function.attrs.iter().filter(|attr| is_for_fields(attr)).cloned().collect(),
            fields,
        },
    }
}

/// `SendWelcomeArgs` for `send_welcome`.
fn args_name(function: &Ident) -> Ident {
    let words = function.unraw().to_string();
    let mut name: String = words.split('_').map(capitalised).collect();
    name.push_str("Args");
    Ident::new(&name, function.span())
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

impl Field {
    pub(crate) fn of(input: &syn::PatType, ident: &Ident) -> Self {
        let is = |name: &str, attr: &&Attribute| attr.path().is_ident(name);
        let attrs = input.attrs.iter().filter(|attr| is_for_fields(attr) || is("doc", attr)).cloned().collect();
        let cfgs = input.attrs.iter().filter(|attr| is("cfg", attr)).cloned().collect();
        Self { attrs, cfgs, ident: ident.clone(), ty: (*input.ty).clone() }
    }
}

impl Context {
    pub(crate) fn of(input: &syn::PatType, resources: Option<Box<Type>>) -> Self {
        Self { resources, span: input.ty.span() }
    }
}
