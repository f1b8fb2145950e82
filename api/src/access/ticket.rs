//! Tickets: how a browser's EventSource, which can't send headers, shows that its page has a key.
//!
//! A ticket names its key and when it ends, and carries a code (HMAC-SHA-256) that only this
//! process can make. So none has to be remembered, and however many are asked for cost no memory;
//! those of an earlier process are worth nothing. It may be used more than once: an EventSource
//! that loses its connection comes back by itself with the same address, and a ticket that was
//! spent would turn every short break into a dead page. What that costs is bounded: whoever reads
//! a ticket out of a log can, for what is left of its minute, watch what its key may watch, and do
//! nothing else. A key that is revoked takes its tickets along.

use std::io;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use shardbook_engine::access::KeyId;
use shardbook_engine::time::{Clock, Timestamp};

use crate::access::keys::{HeldKey, KeyRing};
use crate::access::secret::hexadecimal;
use crate::problem::{Code, Problem};

/// How long a ticket lasts, in microseconds: a minute.
const LASTS: u64 = 60_000_000;

/// A ticket and when it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// What goes into the query.
    pub text: String,
    /// From when on it is worth nothing.
    pub expires_at: Timestamp,
}

/// Makes tickets and knows them again.
pub(super) struct Tickets {
    code: Hmac<Sha256>,
    clock: Arc<dyn Clock>,
}

impl Tickets {
    pub(super) fn new(clock: Arc<dyn Clock>) -> io::Result<Self> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(io::Error::other)?;
        let code = Hmac::new_from_slice(&secret).map_err(io::Error::other)?;
        Ok(Self { code, clock })
    }

    /// A ticket of this key's; with keys off it is no key's, and nobody asks for it.
    pub(super) fn issue(&self, key: Option<KeyId>) -> Ticket {
        let ends = self.clock.now().microseconds().saturating_add(LASTS);
        let key = key.unwrap_or(KeyId::new(0));
        let code = self.code_of(key, ends).finalize().into_bytes();
        Ticket {
            text: format!("{key}.{ends:016x}.{}", hexadecimal(&code)),
            expires_at: Timestamp::from_microseconds(ends),
        }
    }

    /// The key that a ticket was made for.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] for what is no ticket, or no longer one.
    pub(super) fn open(&self, text: &str, keys: &KeyRing) -> Result<Arc<HeldKey>, Problem> {
        let (key, ends) = self
            .verify(text)
            .ok_or_else(|| refused("is none of ours"))?;
        if self.clock.now().microseconds() >= ends {
            return Err(refused("has ended; ask POST /stream-tickets for another"));
        }
        keys.get(key)
            .ok_or_else(|| refused("is of a key that was revoked"))
    }

    fn verify(&self, text: &str) -> Option<(KeyId, u64)> {
        let (key, rest) = text.split_once('.')?;
        let (ends, code) = rest.split_once('.')?;
        let (key, ends): (KeyId, KeyId) = (key.parse().ok()?, ends.parse().ok()?);
        let ends = ends.get();
        let code = bytes_of(code)?;
        self.code_of(key, ends).verify_slice(&code).ok()?;
        Some((key, ends))
    }

    fn code_of(&self, key: KeyId, ends: u64) -> Hmac<Sha256> {
        let mut code = self.code.clone();
        code.update(&key.get().to_le_bytes());
        code.update(&ends.to_le_bytes());
        code
    }
}

fn refused(why: &str) -> Problem {
    Problem::new(Code::Unauthenticated, format!("the ticket {why}"))
}

fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    let pairs = digits.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        // A sign would be read as part of a number.
        (!pair.starts_with('+')).then_some(())?;
        u8::from_str_radix(pair, 16).ok()
    });
    pairs.collect()
}
