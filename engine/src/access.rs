//! Keys and what they let their holders do, as the control log keeps them.
//!
//! A key is an id, which anyone may see, and a secret of 256 random bits, of which only the
//! SHA-256 is kept: what is that random can't be guessed from its hash, so it needs no salt and
//! no slow hash as a password would. Who checks the secrets is no concern of the engine's.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use crate::id::ClientId;
use crate::time::Timestamp;

/// What names a key: a random number, 16 hexadecimal digits in text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u64);

impl KeyId {
    /// The key with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that names no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have 16 hexadecimal digits in lower case")]
pub struct NoKeyId;

impl FromStr for KeyId {
    type Err = NoKeyId;

    fn from_str(text: &str) -> Result<Self, NoKeyId> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 16 || !text.bytes().all(is_digit) {
            return Err(NoKeyId);
        }
        let number = u64::from_str_radix(text, 16).map_err(|_| NoKeyId)?;
        Ok(Self(number))
    }
}

/// How much a key lets its holder do; each role may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Read what is public, and the metrics.
    Reader,
    /// Place, read and change its own client's orders.
    Trader,
    /// Everything, for every client.
    Admin,
}

/// Whose a key is: its role, and the client it acts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A reader; the client is who its requests are told by.
    Reader(ClientId),
    /// A trader, for this client alone.
    Trader(ClientId),
    /// An administrator, for any client; this one where a request names none.
    Admin(Option<ClientId>),
}

impl Holder {
    /// How much it may do.
    #[must_use]
    pub const fn role(&self) -> Role {
        match self {
            Self::Reader(_) => Role::Reader,
            Self::Trader(_) => Role::Trader,
            Self::Admin(_) => Role::Admin,
        }
    }

    /// The key's own client.
    #[must_use]
    pub const fn client(&self) -> Option<&ClientId> {
        match self {
            Self::Reader(client) | Self::Trader(client) => Some(client),
            Self::Admin(client) => client.as_ref(),
        }
    }
}

/// The SHA-256 of a key's secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// This digest.
    #[must_use]
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest. Compare it in constant time.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash")
    }
}

/// A key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// Its name.
    pub id: KeyId,
    /// By which its secret is known again.
    pub secret_hash: SecretHash,
    /// Who holds it.
    pub holder: Holder,
    /// How many units a second it may use, where that is not what everyone may.
    pub requests_per_second: Option<NonZeroU32>,
    /// When it was made.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_id_is_read_as_it_is_written() {
        for number in [0, 1, 0xab, u64::MAX] {
            let id = KeyId::new(number);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for text in [
            "",
            "1",
            "00000000000000ABCD",
            "00000000000000AB",
            "+000000000000001",
            "00000000000000 1",
        ] {
            assert_eq!(text.parse::<KeyId>(), Err(NoKeyId), "{text}");
        }
    }

    #[test]
    fn a_role_may_do_what_those_before_it_may() {
        assert!(Role::Reader < Role::Trader && Role::Trader < Role::Admin);
    }
}
