//! Arguments that serde writes under other names, or not at all.

use syn::ext::IdentExt;
use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Token, token};

use crate::errors::Errors;
use crate::model::Field;

/// That no key says the name of an argument that serde writes under another one, or not at all.
pub(super) fn known<'k>(
    keys: impl IntoIterator<Item = &'k LitStr>,
    attrs: &[Attribute],
    fields: &[Field],
    errors: &mut Errors,
) {
    let all = told(attrs);
    // What isn't written as it stands may have fields of any name.
    let elsewhere = ["into", "remote", "tag"];
    if all.iter().any(|(word, _)| elsewhere.contains(&word.as_str())) || fields.iter().any(is_flattened) {
        return;
    }
    let case = all.iter().find(|(word, _)| word == "rename_all").map_or("", |(_, case)| case);
    let is_written =
        |name: &str| fields.iter().any(|field| written(field, case).is_some_and(|written| written == name));
    for key in keys.into_iter().filter(|key| !is_written(&key.value())) {
        let name = key.value();
        let Some(field) = fields.iter().find(|field| field.ident.unraw() == name) else { continue };
        let why = written(field, case).map_or_else(
            || format!("serde doesn't write `{name}`, so no job has it: take another argument, or its `skip` away"),
            |written| format!("serde writes `{name}` as `{written}`: write `\"{written}\"`"),
        );
        errors.refuse(key, why);
    }
}

/// What serde calls it where it writes it.
fn written(field: &Field, case: &str) -> Option<String> {
    let told = told(&field.attrs);
    let is_skipped = told.iter().any(|(word, _)| word == "skip" || word == "skip_serializing");
    let renamed = told.into_iter().find(|(word, _)| word == "rename").map(|(_, name)| name);
    (!is_skipped).then(|| renamed.unwrap_or_else(|| cased(&field.ident.unraw().to_string(), case)))
}

fn is_flattened(field: &Field) -> bool {
    told(&field.attrs).iter().any(|(word, _)| word == "flatten")
}

/// A field's name as serde's `rename_all` makes it.
fn cased(name: &str, case: &str) -> String {
    match case {
        "UPPERCASE" | "SCREAMING_SNAKE_CASE" => name.to_ascii_uppercase(),
        "kebab-case" => name.replace('_', "-"),
        "SCREAMING-KEBAB-CASE" => name.to_ascii_uppercase().replace('_', "-"),
        "PascalCase" => name.split('_').map(|word| with_first(word, char::to_ascii_uppercase)).collect(),
        "camelCase" => with_first(&cased(name, "PascalCase"), char::to_ascii_lowercase),
        _ => name.to_owned(),
    }
}

fn with_first(word: &str, change: fn(&char) -> char) -> String {
    let mut letters = word.chars();
    letters.next().iter().map(change).chain(letters).collect()
}

/// What these attributes tell serde of writing: each word, and the text that it has.
fn told(attrs: &[Attribute]) -> Vec<(String, String)> {
    let mut told = Vec::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("serde")) {
        // What isn't understood here is serde's to judge.
        let _ = attr.parse_nested_meta(|meta| {
            let word = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
            if meta.input.peek(token::Paren) {
                return meta.parse_nested_meta(|side| {
                    let text = text(&side.value()?.parse()?);
                    if side.path.is_ident("serialize") {
                        told.push((word.clone(), text));
                    }
                    Ok(())
                });
            }
            let text = if meta.input.peek(Token![=]) { text(&meta.value()?.parse()?) } else { String::new() };
            told.push((word, text));
            Ok(())
        });
    }
    told
}

fn text(expr: &Expr) -> String {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text.value(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;
    use syn::parse_quote;

    use super::*;

    #[test]
    fn names_are_cased_as_serde_does() {
        let cases = [
            ("lowercase", "tenant_id"),
            ("UPPERCASE", "TENANT_ID"),
            ("PascalCase", "TenantId"),
            ("camelCase", "tenantId"),
            ("snake_case", "tenant_id"),
            ("SCREAMING_SNAKE_CASE", "TENANT_ID"),
            ("kebab-case", "tenant-id"),
            ("SCREAMING-KEBAB-CASE", "TENANT-ID"),
        ];
        for (case, name) in cases {
            assert_eq!(cased("tenant_id", case), name);
        }
        assert_eq!((cased("_id", "camelCase"), cased("a__b", "PascalCase")), ("id".to_owned(), "AB".to_owned()));
    }

    /// How often a key of two arguments, `tenant_id` and another, is refused.
    fn refusals(all: &Attribute, own: &Attribute, key: &LitStr) -> usize {
        let field = |attrs, ident| Field { attrs, cfgs: Vec::new(), ident, ty: parse_quote!(u8) };
        let fields = [field(vec![own.clone()], parse_quote!(tenant_id)), field(Vec::new(), parse_quote!(b))];
        let mut errors = Errors::default();
        known([key], std::slice::from_ref(all), &fields, &mut errors);
        errors.len()
    }

    #[test]
    fn only_what_is_surely_not_written_is_refused() {
        let none = || quote!(default);
        for (all, own, refused) in [
            (none(), none(), false),
            (quote!(rename_all = "camelCase"), none(), true),
            (quote!(rename_all(deserialize = "camelCase")), none(), false),
            (quote!(rename_all(serialize = "camelCase"), deny_unknown_fields), none(), true),
            (quote!(rename_all = "camelCase"), quote!(rename = "tenant_id"), false),
            (quote!(rename_all = "camelCase", tag = "kind"), none(), false),
            (none(), quote!(skip), true),
            (none(), quote!(skip_serializing, default), true),
            (none(), quote!(skip_deserializing), false),
            (none(), quote!(skip_serializing_if = "Option::is_none"), false),
            (none(), quote!(flatten), false),
            (none(), quote!(rename = "org", with = "hex"), true),
        ] {
            let text = format!("{all} {own}");
            let found =
                refusals(&parse_quote!(#[serde(#all)]), &parse_quote!(#[serde(#own)]), &parse_quote!("tenant_id"));
            assert_eq!(found == 1, refused, "{text}");
        }
    }
}
