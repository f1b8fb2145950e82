//! Names and numbers of things: what clients call them, and what the exchange does.

mod text;

use std::borrow::Borrow;
use std::fmt;

use thiserror::Error;

use self::text::Text;

/// Ids that begin so are the feed's.
pub const FEED_ID_PREFIX: &str = "binance-";

/// Why a text is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum IdError {
    /// Empty, or longer than the most bytes the id may have.
    #[error("must have 1 to {max} characters, has {length}")]
    Length {
        /// Bytes given.
        length: usize,
        /// Most bytes allowed.
        max: usize,
    },
    /// A character outside the id's alphabet.
    #[error("may hold only {alphabet}")]
    Character {
        /// What is allowed, in words.
        alphabet: &'static str,
    },
    /// A word that has another meaning in a path.
    #[error("is a reserved word")]
    Reserved,
}

/// Defines an id that is text with a checked alphabet.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $max:expr, $alphabet:expr, $allowed:expr, $reserved:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Text);

        impl $name {
            /// The most bytes it may have.
            pub const LENGTH_MAX: usize = $max;

            /// Checks `text` and takes it as an id.
            ///
            /// # Errors
            /// When the text is empty, too long, a reserved word, or holds a character outside
            /// the alphabet.
            pub fn new(text: &str) -> Result<Self, IdError> {
                if text.is_empty() || text.len() > Self::LENGTH_MAX {
                    return Err(IdError::Length { length: text.len(), max: Self::LENGTH_MAX });
                }
                // Every byte is looked at, wrong ones before it or not: many at once, that is.
                if !text.bytes().fold(true, |all, byte| all & $allowed(byte)) {
                    return Err(IdError::Character { alphabet: $alphabet });
                }
                let reserved: &[&str] = &$reserved;
                if reserved.contains(&text) {
                    return Err(IdError::Reserved);
                }
                Ok(Self(Text::new(text)))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }

            /// The text's bytes, which cost less than the text.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }
    };
}

/// Without a branch, see where ids are checked.
const fn is_id_byte(byte: u8) -> bool {
    let lower = byte | 0x20;
    ((lower >= b'a') & (lower <= b'z'))
        | ((byte >= b'-') & (byte <= b'.'))
        | ((byte >= b'0') & (byte <= b':'))
        | (byte == b'_')
}

const fn is_symbol_byte(byte: u8) -> bool {
    is_id_byte(byte) & (byte != b':')
}

const fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_graphic()
}

text_id!(
    /// What a client calls an order: `^[A-Za-z0-9._:-]{1,64}$`, but for words that stand in
    /// paths of their own.
    OrderId, 64, "letters, digits and . _ : -", is_id_byte, [".", "..", "batch", "cancel-all"]
);
text_id!(
    /// Who trades: `^[A-Za-z0-9._:-]{1,64}$`.
    ClientId, 64, "letters, digits and . _ : -", is_id_byte, []
);
text_id!(
    /// A client's own mark on a request, so that sending it again does nothing twice:
    /// 1 to 128 visible ASCII characters.
    IdempotencyKey, 128, "visible ASCII characters", is_key_byte, []
);
text_id!(
    /// An instrument's name, as `BTC-USD`: 1 to 32 letters, digits, `.`, `_`, `-`.
    Symbol, 32, "letters, digits and . _ -", is_symbol_byte, [".", ".."]
);

impl OrderId {
    /// The id of the `index`th order that the mirror command numbered `sequence` added.
    #[must_use]
    pub fn mirror(placed: OrderRef) -> Self {
        Self(Text::new(&format!(
            "binance-depth:{}:{}",
            placed.sequence.get(),
            placed.index
        )))
    }

    /// The id of the market order made of Binance's trades `first` to `last` of `symbol`.
    #[must_use]
    pub fn tape(symbol: &str, first: u64, last: u64) -> Self {
        Self(Text::new(&if first == last {
            format!("binance-trades:{symbol}:{first}")
        } else {
            format!("binance-trades:{symbol}:{first}-{last}")
        }))
    }

    /// Whether the id is one of the feed's.
    #[must_use]
    pub fn is_feed(&self) -> bool {
        self.0.as_bytes().starts_with(FEED_ID_PREFIX.as_bytes())
    }
}

impl ClientId {
    /// The client whose market orders are Binance's trades.
    #[must_use]
    pub fn binance_trades() -> Self {
        Self(Text::new("binance-trades"))
    }

    /// The client whose resting orders are Binance's depth.
    #[must_use]
    pub fn binance_depth() -> Self {
        Self(Text::new("binance-depth"))
    }

    /// Whether the client is one of the feed's.
    #[must_use]
    pub fn is_feed(&self) -> bool {
        self.0.as_bytes().starts_with(FEED_ID_PREFIX.as_bytes())
    }
}

/// An instrument's number on this exchange, given when it was first seen and never again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstrumentId(u32);

impl InstrumentId {
    /// The instrument with this number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// Defines a count that begins at 1 and has a 0 before it.
macro_rules! count {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// Before the first.
            pub const ZERO: Self = Self(0);

            /// The one with this number.
            #[must_use]
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// The number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The one after it.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }
    };
}
pub(crate) use count;

count!(
    /// An instrument's own count of journaled commands, from 1; 0 stands before the first.
    Sequence
);
count!(
    /// An instrument's own count of trades, from 1; 0 stands before the first.
    TradeNumber
);

/// Which order of an instrument, for good: the command that placed it, and its place among the
/// orders that this command placed (0, but for the mirror's, which count from 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderRef {
    /// The placing command's.
    pub sequence: Sequence,
    /// 0 for an order of its own command, from 1 for the mirror's.
    pub index: u32,
}

impl OrderRef {
    /// The one order of the command numbered `sequence`.
    #[must_use]
    pub const fn single(sequence: Sequence) -> Self {
        Self { sequence, index: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_letters_digits_and_four_signs() {
        let allowed: String = (0..128_u8)
            .filter(|byte| OrderId::new(str::from_utf8(&[*byte, b'x']).unwrap()).is_ok())
            .map(char::from)
            .collect();
        assert_eq!(
            allowed,
            "-.0123456789:ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
        );
        assert!(OrderId::new("ä").is_err());
        assert!(Symbol::new("A:B").is_err());
        assert!(IdempotencyKey::new("a b").is_err());
    }
}
