//! A key's text: what its holder keeps, and nobody else.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use shardbook_engine::access::{KeyId, SecretHash};

/// Says what it is to those who find one, and to programs that look for leaked ones.
const PREFIX: &str = "sbk_";

/// 256 bits: nobody guesses it, whatever its hash gives away.
const SECRET_BYTES: usize = 32;

/// A key as it is written: `sbk_`, its id and its secret in hexadecimal digits.
#[derive(Clone)]
pub struct KeyText {
    id: KeyId,
    /// In hexadecimal digits.
    secret: String,
}

impl KeyText {
    /// A new key, of the machine's random numbers.
    ///
    /// # Errors
    /// When the machine has none.
    pub fn random() -> std::io::Result<Self> {
        let mut id = [0; 8];
        let mut secret = [0; SECRET_BYTES];
        for bytes in [&mut id[..], &mut secret[..]] {
            getrandom::fill(bytes).map_err(std::io::Error::other)?;
        }
        Ok(Self {
            id: KeyId::new(u64::from_le_bytes(id)),
            secret: hexadecimal(&secret),
        })
    }

    /// Reads a key; `None` for what was never one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if secret.len() != 2 * SECRET_BYTES || !secret.bytes().all(is_digit) {
            return None;
        }
        Some(Self {
            id: id.parse().ok()?,
            secret: secret.to_owned(),
        })
    }

    /// Which key it is.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// What is kept of its secret.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash::new(Sha256::digest(self.secret.as_bytes()).into())
    }

    /// Whether its secret is the one with this hash; takes the same time whichever bytes differ.
    #[must_use]
    pub fn fits(&self, hash: &SecretHash) -> bool {
        self.hash().as_bytes().ct_eq(hash.as_bytes()).into()
    }

    /// The text, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, self.secret)
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyText").field(&self.id).finish()
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_is_known_by_its_hash() {
        let (one, other) = (KeyText::random().unwrap(), KeyText::random().unwrap());
        let read = KeyText::parse(&one.reveal()).unwrap();
        assert_eq!(read.id(), one.id());
        assert!(read.fits(&one.hash()));
        assert!(!read.fits(&other.hash()));
        assert!(!format!("{one:?}").contains(&one.secret));
    }

    #[test]
    fn what_is_no_key_is_not_read_as_one() {
        let key = KeyText::random().unwrap().reveal();
        for text in [
            String::new(),
            key.to_uppercase(),
            key[..key.len() - 1].to_owned(),
            format!("{key}0"),
            format!("{key} "),
            key.replacen('_', "-", 1),
            key.replace("sbk_", ""),
        ] {
            assert!(KeyText::parse(&text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_not_and_what_is_read_is_written_the_same(text in "(sbk_)?[0-9a-f_]{0,90}|.*") {
            if let Some(key) = KeyText::parse(&text) {
                prop_assert_eq!(key.reveal(), text);
            }
        }
    }
}
