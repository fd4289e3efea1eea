//! What stands in an attribute's parentheses, as it is written: `name = value` or `name(arguments)`, and commas.

use std::collections::HashSet;

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, Result, Token, parenthesized};

use super::value;
use crate::errors::{Errors, shown, wrong};
use crate::suggest::nearest;

/// One option.
pub(crate) struct Entry {
    pub(crate) name: Ident,
    pub(crate) value: Value,
}

pub(crate) enum Value {
    Absent,
    Is(Expr),
    List(Vec<Expr>),
}

impl Entry {
    /// What stands after the `=`; `example` is the whole entry as it should be.
    pub(crate) fn is(&self, example: &str) -> Result<&Expr> {
        match &self.value {
            Value::Is(expr) => Ok(value::peel(expr)),
            _ => wrong(&self.name, format!("expected `{example}`")),
        }
    }
}

/// The entries up to the first that can't be read, each name once but for `limit`.
pub(crate) fn entries(tokens: TokenStream, errors: &mut Errors) -> Vec<Entry> {
    let mut entries = Vec::new();
    let read = |input: ParseStream<'_>| {
        while !input.is_empty() {
            entries.push(entry(input)?);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    };
    errors.take(read.parse2(tokens));
    let mut seen = HashSet::new();
    entries.retain(|Entry { name, .. }| {
        let first = seen.insert(name.to_string()) || name == "limit";
        if !first {
            errors.refuse(name, format!("the option `{name}` is given twice: keep one of them"));
        }
        first
    });
    entries
}

fn entry(input: ParseStream<'_>) -> Result<Entry> {
    if !input.peek(Ident::peek_any) {
        let got: TokenTree = input.parse()?;
        return wrong(&got, format!("expected an option such as `queue = \"mail\"`, got `{got}`"));
    }
    let name = input.call(Ident::parse_any)?;
    let value = if input.peek(Token![=]) {
        let equals: Token![=] = input.parse()?;
        if input.is_empty() || input.peek(Token![,]) {
            return wrong(equals, format!("expected a value after `{name} =`"));
        }
        Value::Is(input.parse()?)
    } else if input.peek(syn::token::Paren) {
        let content;
        parenthesized!(content in input);
        Value::List(Punctuated::<Expr, Token![,]>::parse_terminated_with(&content, argument)?.into_iter().collect())
    } else {
        Value::Absent
    };
    Ok(Entry { name, value })
}

/// An expression, or `for = value`, which isn't one for Rust.
fn argument(input: ParseStream<'_>) -> Result<Expr> {
    if !(input.peek(Token![for]) && input.peek2(Token![=])) {
        return input.parse();
    }
    let (name, equals): (Ident, Token![=]) = (input.call(Ident::parse_any)?, input.parse()?);
    let value: Expr = input.parse()?;
    Ok(Expr::Assign(syn::ExprAssign {
        attrs: Vec::new(),
        left: Box::new(Expr::Path(syn::ExprPath { attrs: Vec::new(), qself: None, path: name.into() })),
        eq_token: equals,
        right: Box::new(value),
    }))
}

/// The arguments of `exponential("1s", factor = 2.0)`: those without a name, then those with one.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) plain: Vec<Expr>,
    named: Vec<(Ident, Expr)>,
}

impl Arguments {
    /// Sorts them; the names have to be among `known`, each once.
    pub(crate) fn of<'e>(exprs: impl IntoIterator<Item = &'e Expr>, known: &[&str]) -> Result<Self> {
        let mut arguments = Self { plain: Vec::new(), named: Vec::new() };
        for expr in exprs {
            let Expr::Assign(assign) = expr else {
                arguments.plain.push(value::peel(expr).clone());
                continue;
            };
            let name = value::word(&assign.left).cloned();
            let Some(name) = name.filter(|name| known.iter().any(|known| name == known)) else {
                return wrong(&assign.left, unknown("argument", &assign.left, known));
            };
            if arguments.named.iter().any(|(seen, _)| *seen == name) {
                return wrong(&name, format!("the argument `{name}` is given twice: keep one of them"));
            }
            arguments.named.push((name, value::peel(&assign.right).clone()));
        }
        Ok(arguments)
    }

    pub(crate) fn push(&mut self, name: &Ident, value: &Expr) {
        self.named.push((name.clone(), value.clone()));
    }

    /// The argument of this name, with its name's token.
    pub(crate) fn named(&self, name: &str) -> Option<&(Ident, Expr)> {
        self.named.iter().find(|(known, _)| known == name)
    }

    /// The argument of this name, read.
    pub(crate) fn read<T>(&self, name: &str, read: impl FnOnce(&Expr) -> Result<T>) -> Result<Option<T>> {
        self.named(name).map(|(_, expr)| read(expr)).transpose()
    }
}

/// That there is no such name, and which one was probably meant, or which there are.
pub(crate) fn unknown(what: &str, got: &impl ToTokens, known: &[&str]) -> String {
    let got = shown(got);
    match nearest(&got, known) {
        Some(meant) => format!("unknown {what} `{got}`: did you mean `{meant}`?"),
        None if known.is_empty() => format!("unknown {what} `{got}`: there is none"),
        None => format!("unknown {what} `{got}`: there is {}", listed(known)),
    }
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
