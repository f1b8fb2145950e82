//! The two sides of a book.

/// Which way an order trades, and on which side of the book it rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Buys; rests among the bids.
    Buy,
    /// Sells; rests among the asks.
    Sell,
}

impl Side {
    /// The side it trades against.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}
