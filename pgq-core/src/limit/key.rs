//! The name of a limit's gate for one value.

use super::MAX_LIMIT_KEY;

/// The gate of a limit, by its full name, for one value. A value that is longer than [`MAX_LIMIT_KEY`] bytes, or has a NUL,
/// which PostgreSQL's text can't hold, is shortened, and ends in a hash of all of it.
#[must_use]
pub fn gate_name(limit: &str, value: &str) -> String {
    let mut name = String::with_capacity(limit.len() + 1 + value.len().min(MAX_LIMIT_KEY));
    name.push_str(limit);
    name.push('=');
    if value.len() <= MAX_LIMIT_KEY && !value.contains('\0') {
        name.push_str(value);
        return name;
    }
    let hash = format!("~{:032x}", fnv1a_128(value));
    let begin = &value[..value.floor_char_boundary(MAX_LIMIT_KEY - hash.len())];
    // One byte for one, so that the length stays.
    name.extend(begin.chars().map(|letter| if letter == '\0' { '?' } else { letter }));
    name.push_str(&hash);
    name
}

/// FNV-1a of 128 bits, by Fowler, Noll and Vo.
fn fnv1a_128(text: &str) -> u128 {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    text.bytes().fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: &str = "task:send[tenant]";

    /// What a gate's name says of the value.
    fn told(value: &str) -> String {
        let name = gate_name(LIMIT, value);
        name.strip_prefix("task:send[tenant]=").unwrap().to_owned()
    }

    #[test]
    fn a_gate_is_named_by_its_limit_and_value() {
        assert_eq!(gate_name(LIMIT, "acme"), "task:send[tenant]=acme");
        for value in ["", "ü = [7]", "null", &"x".repeat(MAX_LIMIT_KEY)] {
            assert_eq!(told(value), value);
        }
    }

    #[test]
    fn long_values_are_cut_and_told_apart() {
        let long = |end: &str| told(&("ü".repeat(MAX_LIMIT_KEY) + end));
        let (one, other) = (long("a"), long("b"));
        assert_ne!(one, other);
        assert_eq!(one, long("a"));
        assert!(one.starts_with("üü") && one.len() <= MAX_LIMIT_KEY, "{one}");
        assert!(told(&"x".repeat(MAX_LIMIT_KEY + 1)).len() == MAX_LIMIT_KEY);
    }

    #[test]
    fn a_nul_is_made_safe_and_still_tells_apart() {
        let values = ["a\0b", "a?b", "a\0\0b", "a\0"].map(told);
        assert!(values.iter().all(|value| !value.contains('\0')));
        let distinct: std::collections::BTreeSet<&String> = values.iter().collect();
        assert_eq!(distinct.len(), values.len(), "{values:?}");
    }

    #[test]
    fn the_hash_is_the_one_that_is_published() {
        assert_eq!(fnv1a_128(""), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        assert_eq!(fnv1a_128("a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
    }
}
