//! What one record changes for those who watch an instrument.

use std::sync::Arc;

use crate::id::{OrderId, Sequence};
use crate::order::{Order, Trade};
use crate::price::Price;
use crate::quantity::Volume;
use crate::time::Timestamp;

/// A change's place in its instrument's history: the record's sequence, and the change's place
/// within the record, from 1. The same record yields the same ids whenever it is folded and
/// whoever listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeId {
    /// The record's.
    pub sequence: Sequence,
    /// From 1; 0 stands before the record's first change.
    pub index: u32,
}

impl ChangeId {
    /// Before the first change of the first record.
    pub const ZERO: Self = Self {
        sequence: Sequence::ZERO,
        index: 0,
    };
}

/// One thing that those who watch an instrument are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its place in the instrument's history.
    pub id: ChangeId,
    /// What it is.
    pub kind: ChangeKind,
}

/// What those who watch are told. A record's trades come first, in the order they happened; then
/// the orders it touched, each once and as the record left it, in the order it touched them; then
/// what became of the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// Two orders traded.
    Trade(Arc<Trade>),
    /// An order was placed or changed. The mirror's are left out.
    Order(Arc<Order>),
    /// Levels of the book changed; at most one a record.
    Delta(Arc<BookDelta>),
}

/// Levels that one record changed, with their new totals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookDelta {
    /// The sequence of the delta before it, [`Sequence::ZERO`] for the first.
    pub previous_sequence: Sequence,
    /// When the record was decided.
    pub timestamp: Timestamp,
    /// Bids, best first; a volume of zero removes the level.
    pub bids: Vec<(Price, Volume)>,
    /// Asks, best first; a volume of zero removes the level.
    pub asks: Vec<(Price, Volume)>,
}

/// What applying records yields beside their answers, gathered over as many records as the
/// caller likes, and reused.
#[derive(Debug, Default)]
pub struct Applied {
    /// What those who watch are told, oldest first.
    pub changes: Vec<Change>,
    /// Orders that can be read from now on, the feed's left out.
    pub appeared: Vec<OrderId>,
    /// Orders that memory has let go of, unless a newer one has the same id; the feed's left out.
    pub let_go: Vec<OrderId>,
}

impl Applied {
    /// Forgets everything, and keeps the room for more.
    pub fn clear(&mut self) {
        self.changes.clear();
        self.appeared.clear();
        self.let_go.clear();
    }
}
