//! The secret with which a job calls back, and its digest: the only thing that is kept of it.

use sha2::{Digest, Sha256};

use crate::error::Error;

/// How job tokens begin, so that whoever finds one knows what it is (runner protocol, A.1).
const PREFIX: &str = "glcbt-64_";

/// Random characters of a token; six bits each.
const LENGTH: usize = 24;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A job's token.
///
/// # Errors
/// When the operating system gives no random numbers.
pub(crate) fn new() -> Result<String, Error> {
    random(PREFIX)
}

/// A token that nobody can guess, beginning with `prefix`.
///
/// # Errors
/// When the operating system gives no random numbers.
pub(crate) fn random(prefix: &str) -> Result<String, Error> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(|error| Error::NoRandomness(error.to_string()))?;
    let random = bytes.iter().map(|byte| ALPHABET[usize::from(byte % 64)]);
    Ok(prefix.chars().chain(random.map(char::from)).collect())
}

/// What is stored of a token.
pub(crate) fn digest(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// Whether a token is the one of the digest, in the same time whichever byte differs.
pub(crate) fn matches(token: &str, stored: &[u8]) -> bool {
    let given = digest(token);
    let differs = (given.iter().zip(stored)).fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == stored.len() && differs == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_are_known_by_their_digest() {
        let (one, two) = (new().unwrap(), new().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), PREFIX.len() + LENGTH);
        assert!(matches(&one, &digest(&one)));
        assert!(!matches(&two, &digest(&one)));
        assert!(!matches(&one, &digest(&one)[1..]));
    }
}
