//! The function below the attribute, as it is written.

use proc_macro2::{Group, TokenStream};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Item, Result, Signature, Token, Visibility};

use crate::errors::wrong;

/// A function. Its body is tokens: nothing here looks into it, and syntax that syn doesn't know yet goes through.
#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    body: Group,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let (attrs, vis) = (Attribute::parse_outer(input)?, input.parse()?);
        let sig = input.parse()?;
        if input.peek(Token![;]) {
            return wrong(&sig, "expected a function with a body: a task can't be declared in a trait");
        }
        Ok(Self { attrs, vis, sig, body: input.parse()? })
    }
}

impl Function {
    /// Reads the item; what isn't a function gets an error on the word that says what it is.
    pub(crate) fn of(item: &TokenStream) -> Result<Self> {
        match syn::parse2(item.clone()) {
            Ok(function) => Ok(function),
            Err(error) => Err(syn::parse2(item.clone()).ok().and_then(|item| not_a_function(&item)).unwrap_or(error)),
        }
    }

    /// Its attributes of that name.
    pub(crate) fn attributes(&self, name: &str) -> impl Iterator<Item = &Attribute> {
        self.attrs.iter().filter(move |attr| attr.path().is_ident(name))
    }

    /// The function as the compiler may see it: without the attributes that stand for generated code.
    pub(crate) fn stripped(&self) -> Self {
        let mut function = self.clone();
        function.attrs.retain(|attr| !is_for_fields(attr));
        for input in &mut function.sig.inputs {
            if let FnArg::Typed(input) = input {
                input.attrs.retain(|attr| !is_for_fields(attr) && !attr.path().is_ident("doc"));
            }
        }
        function
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { attrs, vis, sig, body } = self;
        tokens.extend(quote::quote!(#(#attrs)* #vis #sig #body));
    }
}

/// Whether an attribute is meant for generated fields or the struct that they stand in.
pub(crate) fn is_for_fields(attr: &Attribute) -> bool {
    attr.path().is_ident("serde") || attr.path().is_ident("schemars")
}

fn not_a_function(item: &Item) -> Option<syn::Error> {
    let (what, span) = match item {
        Item::Const(item) => ("a constant", item.const_token.span()),
        Item::Enum(item) => ("an enum", item.enum_token.span()),
        Item::Impl(item) => ("an impl", item.impl_token.span()),
        Item::Mod(item) => ("a module", item.mod_token.span()),
        Item::Static(item) => ("a static", item.static_token.span()),
        Item::Struct(item) => ("a struct", item.struct_token.span()),
        Item::Trait(item) => ("a trait", item.trait_token.span()),
        Item::Type(item) => ("a type alias", item.type_token.span()),
        Item::Use(item) => ("a use declaration", item.use_token.span()),
        _ => return None,
    };
    Some(syn::Error::new(span, format!("expected `async fn` or `fn`, got {what}: a task is a function")))
}
