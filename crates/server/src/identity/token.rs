//! Secrets that prove something: made at random, kept as digests.

use sha2::{Digest, Sha256};

/// What a personal access token begins with, as GitLab's do.
pub const ACCESS_TOKEN: &str = "glpat-";

/// Random characters of a token; with 64 to choose from that is 192 bits.
const LENGTH: usize = 32;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Bytes that nobody can guess.
///
/// # Panics
///
/// When the operating system has no randomness to give; nothing would be safe then.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::expect_used, reason = "there is nothing safe to go on with")]
    getrandom::fill(&mut bytes).expect("the operating system gives no random numbers");
    bytes
}

/// A new secret with a prefix that says what it is for.
pub fn new(prefix: &str) -> String {
    let mut token = prefix.to_owned();
    for byte in random_bytes::<LENGTH>() {
        token.push(char::from(ALPHABET[usize::from(byte % 64)]));
    }
    token
}

/// What is stored of a secret. It is long and random, so that a plain hash is enough.
pub fn digest(secret: &str) -> Vec<u8> {
    Sha256::digest(secret).to_vec()
}

/// Whether two secrets are the same, in a time that tells nothing about where they differ.
pub(crate) fn same(one: &str, other: &str) -> bool {
    // Digests of chosen texts say nothing about the secret's characters.
    digest(one) == digest(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_and_differ() {
        let (one, other) = (new(ACCESS_TOKEN), new(ACCESS_TOKEN));
        assert_ne!(one, other);
        assert_eq!(one.len(), ACCESS_TOKEN.len() + LENGTH);
        assert!(one.is_ascii() && one.starts_with("glpat-"));
        assert_ne!(digest(&one), digest(&other));
        assert!(same(&one, &one) && !same(&one, &other));
    }
}
