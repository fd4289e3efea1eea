//! What is left of an item that can't be what its attribute says: the item itself, so that whoever uses it gets no error
//! of their own.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, parse_quote};

use crate::errors::Errors;
use crate::krate::Krate;
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

/// A payload that borrows: what serde derives for it would be of use to nobody, and that is told by each who uses it.
pub(crate) fn deserialize(krate: &Krate, input: &DeriveInput) -> TokenStream {
    let (ident, (_, arguments, clause)) = (&input.ident, input.generics.split_for_impl());
    let mut generics = input.generics.clone();
    generics.params.insert(0, parse_quote!('__de));
    let (parameters, _, _) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #parameters #krate::__private::serde::Deserialize<'__de> for #ident #arguments #clause {
            fn deserialize<D: #krate::__private::serde::Deserializer<'__de>>(
                _: D,
            ) -> ::core::result::Result<Self, D::Error> {
                ::core::unreachable!()
            }
        }
    }
}
