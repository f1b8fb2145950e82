//! Names and numbers of things: what clients call them, and what the exchange does.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

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

/// Defines an id that is shared text with a checked alphabet.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $max:expr, $alphabet:expr, $allowed:expr, $reserved:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

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
                let allowed: fn(u8) -> bool = $allowed;
                if !text.bytes().all(allowed) {
                    return Err(IdError::Character { alphabet: $alphabet });
                }
                let reserved: &[&str] = &$reserved;
                if reserved.contains(&text) {
                    return Err(IdError::Reserved);
                }
                Ok(Self(Arc::from(text)))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

const fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-')
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
    IdempotencyKey, 128, "visible ASCII characters", |byte| byte.is_ascii_graphic(), []
);
text_id!(
    /// An instrument's name, as `BTC-USD`: 1 to 32 letters, digits, `.`, `_`, `-`.
    Symbol, 32, "letters, digits and . _ -",
    |byte| is_id_byte(byte) && byte != b':', [".", ".."]
);

impl OrderId {
    /// The id of the `index`th order that the mirror command numbered `sequence` added.
    #[must_use]
    pub fn mirror(placed: OrderRef) -> Self {
        Self(Arc::from(format!(
            "binance-depth:{}:{}",
            placed.sequence.get(),
            placed.index
        )))
    }

    /// The id of the market order made of Binance's trades `first` to `last` of `symbol`.
    #[must_use]
    pub fn tape(symbol: &str, first: u64, last: u64) -> Self {
        Self(Arc::from(if first == last {
            format!("binance-trades:{symbol}:{first}")
        } else {
            format!("binance-trades:{symbol}:{first}-{last}")
        }))
    }

    /// Whether the id is one of the feed's.
    #[must_use]
    pub fn is_feed(&self) -> bool {
        self.0.starts_with(FEED_ID_PREFIX)
    }
}

impl ClientId {
    /// The client whose market orders are Binance's trades.
    #[must_use]
    pub fn binance_trades() -> Self {
        Self(Arc::from("binance-trades"))
    }

    /// The client whose resting orders are Binance's depth.
    #[must_use]
    pub fn binance_depth() -> Self {
        Self(Arc::from("binance-depth"))
    }

    /// Whether the client is one of the feed's.
    #[must_use]
    pub fn is_feed(&self) -> bool {
        self.0.starts_with(FEED_ID_PREFIX)
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
