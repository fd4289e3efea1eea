//! Payloads: how arguments become bytes and come back.

use pgq_core::{Codec, Failure, FailureKind};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Kind, Result};

/// The bytes of `args`: MessagePack with named fields. Positional encoding is half as long, and breaks when a field is
/// moved, put in the middle or left out.
pub(crate) fn encode<A: Serialize>(args: &A) -> Result<Vec<u8>> {
    rmp_serde::to_vec_named(args)
        .map_err(|error| Error::new(Kind::Payload, "expected arguments that MessagePack can hold").because(error))
}

/// The arguments of `bytes`, or why no attempt could ever read them.
pub(crate) fn decode<A: DeserializeOwned>(codec: i16, bytes: &[u8]) -> Result<A, Failure> {
    let unreadable = |message: &str| Failure::new(FailureKind::Decode, message);
    match Codec::from_number(codec) {
        Some(Codec::MessagePack) => {
            rmp_serde::from_slice(bytes).map_err(|error| unreadable(&format!("the payload can't be read: {error}")))
        }
        _ => Err(unreadable(&format!("the payload's codec {codec} is newer than this worker"))),
    }
}
