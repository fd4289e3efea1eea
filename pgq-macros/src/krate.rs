//! Where generated code finds pgq: `::pgq`, or what `crate = path` says.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::spanned::Spanned;
use syn::{LitStr, Path, parse_quote};

pub(crate) struct Krate(Path);

impl Default for Krate {
    fn default() -> Self {
        Self(parse_quote!(::pgq))
    }
}

impl From<Path> for Krate {
    fn from(path: Path) -> Self {
        Self(path)
    }
}

impl Krate {
    /// The text that the `crate` attributes of serde and schemars want for the crate that pgq re-exports as `name`.
    pub(crate) fn reexport(&self, name: &str) -> LitStr {
        let path: String = self.0.to_token_stream().into_iter().map(|token| token.to_string()).collect();
        LitStr::new(&format!("{path}::__private::{name}"), self.0.span())
    }

    /// The derives of a payload but those that there are, and the attributes that tell them where their crates are.
    pub(crate) fn payload_derives(&self, schema: bool, but: &[&str]) -> TokenStream {
        let derive = |krate: &str, name: &&str| {
            let (krate, name) = (format_ident!("{krate}"), format_ident!("{name}"));
            (!but.iter().any(|but| name == but)).then(|| quote!(#self::__private::#krate::#name))
        };
        let serde = ["Serialize", "Deserialize"].iter().filter_map(|name| derive("serde", name));
        let schemars = ["JsonSchema"].iter().filter(|_| schema).filter_map(|name| derive("schemars", name));
        let derives = serde.chain(schemars);
        let (serde, schemars) = (self.reexport("serde"), self.reexport("schemars"));
        let schemars = schema.then(|| quote!(#[schemars(crate = #schemars)]));
        quote! {
            #[derive(#(#derives),*)]
            #[serde(crate = #serde)]
            #schemars
        }
    }

    /// The path, shown by the compiler as if it stood at `span`. What is generated for one word of the user's has to stand
    /// there with all its tokens: an error on a part that begins elsewhere is an error elsewhere.
    pub(crate) fn at(&self, span: Span) -> TokenStream {
        let moved = |mut token: TokenTree| {
            token.set_span(token.span().located_at(span));
            token
        };
        self.to_token_stream().into_iter().map(moved).collect()
    }

    /// The last word of the path, which the attribute's own path probably ends with too.
    pub(crate) fn is_named(&self, name: &syn::Ident) -> bool {
        name == "pgq" || self.0.segments.last().is_some_and(|last| last.ident == *name)
    }
}

impl ToTokens for Krate {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.0.to_tokens(tokens);
    }
}
