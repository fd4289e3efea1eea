//! Payloads: what a job can carry, and how arguments become bytes and come back.

use pgq_core::{Codec, Failure, FailureKind};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Kind, Result};

/// What jobs carry and tasks give back: every type that is `Serialize` and `Deserialize` and owns what it holds.
/// [`#[pgq::payload]`](macro@crate::payload) on a type of your own derives both.
// With serde's traits as its supertraits, the compiler would tell of each of them beside this one, in its own words.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be stored in a job: it isn't both `Serialize` and `Deserialize`",
    label = "not `Serialize` and `Deserialize`",
    note = "put `#[pgq::payload]` on it, or on the type of your own inside it; a type of another crate may have a feature \
            for serde",
    note = "what handlers share, such as a pool, isn't stored: take `Context<…>` as the first parameter"
)]
pub trait Payload: Sized {
    #[doc(hidden)]
    fn encode(&self) -> Result<Vec<u8>>;

    /// As whoever reads it sees it who doesn't know the type.
    #[doc(hidden)]
    fn to_json(&self) -> Result<serde_json::Value>;

    #[doc(hidden)]
    fn decode(codec: i16, bytes: &[u8]) -> Result<Self, Failure>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Payload for T {
    /// MessagePack with named fields. Positional encoding is half as long, and breaks when a field is moved, put in the
    /// middle or left out.
    fn encode(&self) -> Result<Vec<u8>> {
        rmp_serde::to_vec_named(self)
            .map_err(|error| Error::new(Kind::Payload, "expected arguments that MessagePack can hold").because(error))
    }

    fn to_json(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self)
            .map_err(|error| Error::new(Kind::Payload, "expected arguments that JSON can hold").because(error))
    }

    fn decode(codec: i16, bytes: &[u8]) -> Result<Self, Failure> {
        let unreadable = |message: &str| Failure::new(FailureKind::Decode, message);
        match Codec::from_number(codec) {
            Some(Codec::MessagePack) => {
                rmp_serde::from_slice(bytes).map_err(|error| unreadable(&format!("the payload can't be read: {error}")))
            }
            Some(Codec::Json) => serde_json::from_slice(bytes)
                .map_err(|error| unreadable(&format!("the payload can't be read: {error}"))),
            _ => Err(unreadable(&format!("the payload's codec {codec} is newer than this worker"))),
        }
    }
}

/// The bytes of `args`.
pub(crate) fn encode<A: Payload>(args: &A) -> Result<Vec<u8>> {
    args.encode()
}

/// The arguments of `bytes`, or why no attempt could ever read them.
pub(crate) fn decode<A: Payload>(codec: i16, bytes: &[u8]) -> Result<A, Failure> {
    A::decode(codec, bytes)
}

/// What `bytes` say to whoever doesn't know their type. MessagePack's bytes read as arrays of numbers.
pub(crate) fn to_json(codec: i16, bytes: &[u8]) -> Result<serde_json::Value> {
    decode(codec, bytes).map_err(|failure| Error::new(Kind::Payload, failure.message().to_owned()))
}

/// A type whose shape can be told: `JsonSchema`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no JSON Schema: it isn't `JsonSchema`",
    label = "not `JsonSchema`",
    note = "put `#[pgq::payload]` on it, or on the type of your own inside it, or do without: `#[pgq::task(schema = none)]`"
)]
pub trait Described {
    /// Its JSON Schema.
    fn schema() -> serde_json::Value;
}

#[diagnostic::do_not_recommend]
impl<T: schemars::JsonSchema> Described for T {
    fn schema() -> serde_json::Value {
        schemars::schema_for!(T).to_value()
    }
}

/// The JSON Schema of a type.
#[must_use]
pub fn schema_of<T: Described>() -> Option<serde_json::Value> {
    Some(T::schema())
}
