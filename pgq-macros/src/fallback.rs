//! What is left of an item that can't be what its attribute says: the item itself, so that whoever uses it gets no error
//! of their own.

use proc_macro2::TokenStream;
use quote::quote;

use crate::errors::Errors;
use crate::parse::Function;

/// An item that isn't a function.
pub(crate) fn item(item: &TokenStream, mut errors: Errors, error: syn::Error) -> TokenStream {
    errors.push(error);
    quote!(#item #errors)
}

/// A method: a type can't be put beside it.
pub(crate) fn method(function: &Function, errors: &Errors) -> TokenStream {
    let function = function.stripped();
    quote!(#function #errors)
}
