//! `integrity`: the digest of a file's content.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// `sha256-` and the digest in base64, as `include:integrity` has it.
pub(super) fn of(content: &[u8]) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(content)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_digest_of_nothing() {
        // FIPS 180-4: SHA-256 of the empty text is e3b0c442 … 7852b855.
        assert_eq!(
            super::of(b""),
            "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        );
    }
}
