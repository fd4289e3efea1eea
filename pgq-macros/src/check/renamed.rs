//! Arguments that serde writes under other names.

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::{Expr, LitStr, Token, parenthesized, token};

use crate::errors::Errors;
use crate::model::Field;

/// That no key says the name of an argument that serde writes under another one.
pub(super) fn known<'k>(keys: impl IntoIterator<Item = &'k LitStr>, fields: &[Field], errors: &mut Errors) {
    let is_written = |name: &str| fields.iter().any(|field| renamed(field).is_some_and(|written| written == name));
    for key in keys.into_iter().filter(|key| !is_written(&key.value())) {
        let field = fields.iter().find(|field| field.ident.unraw() == key.value());
        if let Some(written) = field.and_then(renamed) {
            errors.refuse(key, format!("serde writes `{}` as `{written}`: write `\"{written}\"`", key.value()));
        }
    }
}

/// What `#[serde(rename = "…")]` or `#[serde(rename(serialize = "…"))]` calls it.
fn renamed(field: &Field) -> Option<String> {
    let mut name = None;
    for attr in field.attrs.iter().filter(|attr| attr.path().is_ident("serde")) {
        // What isn't understood here is serde's to judge.
        let _ = attr.parse_nested_meta(|meta| {
            if meta.path.is_ident("rename") && meta.input.peek(token::Paren) {
                return meta.parse_nested_meta(|side| {
                    let written = side.value()?.parse::<LitStr>()?.value();
                    if side.path.is_ident("serialize") {
                        name = Some(written);
                    }
                    Ok(())
                });
            }
            if meta.path.is_ident("rename") {
                name = Some(meta.value()?.parse::<LitStr>()?.value());
            } else if meta.input.peek(Token![=]) {
                meta.value()?.parse::<Expr>()?;
            } else if meta.input.peek(token::Paren) {
                let content;
                parenthesized!(content in meta.input);
                content.parse::<TokenStream>()?;
            }
            Ok(())
        });
    }
    name
}
