//! What jobs carry: text that can't be compressed, the same for ours and for the baseline.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use pgq::Payload;

/// The bytes of a payload, as encoded, where nothing else is said.
pub(crate) const BYTES: usize = 100;
/// How many values of a limit key there are.
const KEYS: u32 = 1_000;
/// Ends what a payload begins with.
const END: char = 'x';

/// The argument of the job of this number, which takes so many bytes when it is encoded, and begins with its limit key.
pub(crate) fn text(number: u32, bytes: usize) -> String {
    padded((number % KEYS).to_string(), number.into(), bytes)
}

/// The same as it is stored.
pub(crate) fn encoded(number: u32, bytes: usize) -> Result<Vec<u8>> {
    Ok(Payload::encode(&text(number, bytes))?)
}

/// The limit key of a job.
pub(crate) fn key(text: &str) -> &str {
    text.split(END).next().unwrap_or_default()
}

/// The argument of a job that is enqueued now.
pub(crate) fn dated() -> String {
    let now = uptime().as_micros();
    padded(now.to_string(), u64::try_from(now).unwrap_or_default(), BYTES)
}

/// How long ago that was.
pub(crate) fn age(text: &str) -> Result<Duration> {
    let enqueued = key(text).parse().context("expected a dated payload")?;
    Ok(uptime().saturating_sub(Duration::from_micros(enqueued)))
}

/// Since the first call of this.
fn uptime() -> Duration {
    static BASE: OnceLock<Instant> = OnceLock::new();
    BASE.get_or_init(Instant::now).elapsed()
}

/// Begins with `text`, and goes on pseudo-randomly: with seven bits of chance in each byte it is UTF-8.
fn padded(mut text: String, seed: u64, bytes: usize) -> String {
    let length = bytes - header(bytes);
    text.push(END);
    text.reserve(length);
    let mut state = seed;
    while text.len() < length {
        let chance = split_mix(&mut state).to_le_bytes().map(|byte| char::from(byte & 0x7f));
        text.extend(chance.into_iter().take(length - text.len()));
    }
    text
}

/// What `MessagePack` writes before a text that takes so many bytes with it.
fn header(bytes: usize) -> usize {
    match bytes {
        0..=32 => 1,
        33..=257 => 2,
        258..=65_538 => 3,
        _ => 5,
    }
}

/// The next of a sequence that one number begins, and nothing else is needed for.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_takes_as_many_bytes_as_are_asked_for() {
        for bytes in [BYTES, 257, 1_000, 10_000, 100_000] {
            assert_eq!(encoded(7, bytes).unwrap().len(), bytes);
        }
    }

    #[test]
    fn a_payload_begins_with_its_key_and_differs_from_others() {
        assert_eq!((key(&text(1_007, BYTES)), text(7, BYTES)), ("7", text(7, BYTES)));
        assert_ne!(text(1_007, BYTES), text(7, BYTES));
    }
}
