//! Books as they stood.

use shardbook_engine::instrument::Instrument;
use shardbook_engine::market_data::BookLevel;
use shardbook_storage::snapshot::{BookSnapshot, SnapshotHead};
use uuid::Uuid;

use crate::decimal::TimestampText;
use crate::schema::book::LevelView;
use crate::schema::order::OrderView;
use crate::schema::text::{Count, SymbolText, Words};

request! {
    /// Whose book.
    pub struct SnapshotRequest {
        /// The instrument; every one if left out.
        optional instrument: SymbolText,
    }
    example {"instrument": "BTC-USD"}
}

object! {
    /// A snapshot of a book, without what it holds.
    pub struct SnapshotView {
        /// Its id, a UUIDv7.
        pub snapshot_id: SnapshotIdText,
        /// Whose book.
        pub instrument: Words,
        /// The last command in it, whether or not it changed the book.
        pub sequence: Count,
        /// How many orders rested.
        pub order_count: Count,
        /// When it was taken.
        pub created_at: TimestampText,
    }
    example {
        "snapshot_id": "0199a3c0-7f3e-7cc1-a1f0-3f6a6f0d2b11", "instrument": "BTC-USD",
        "sequence": 42, "order_count": 4, "created_at": "2026-01-31T12:00:00.000001Z"
    }
}

object! {
    /// A book as it stood, and every order that rested in it.
    pub struct WholeSnapshotView {
        /// Its id, a UUIDv7.
        pub snapshot_id: SnapshotIdText,
        /// Whose book.
        pub instrument: SymbolText,
        /// The last command in it, whether or not it changed the book.
        pub sequence: Count,
        /// How many orders rested.
        pub order_count: Count,
        /// When it was taken.
        pub created_at: TimestampText,
        /// The buyers, the highest price first.
        pub bids: Vec<LevelView>,
        /// The sellers, the lowest price first.
        pub asks: Vec<LevelView>,
        /// The orders, oldest first, without their trades.
        pub orders: Vec<OrderView>,
    }
    example {
        "snapshot_id": "0199a3c0-7f3e-7cc1-a1f0-3f6a6f0d2b11", "instrument": "BTC-USD",
        "sequence": 42, "order_count": 1, "created_at": "2026-01-31T12:00:00.000001Z",
        "bids": [{"price": "70150.00", "quantity": "0.15000", "orders": 1, "cumulative_quantity": "0.15000"}],
        "asks": [], "orders": []
    }
}

/// A snapshot's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct SnapshotIdText(pub Uuid);

to_json_by_serde!(SnapshotIdText);

impl_type!(
    SnapshotIdText, "SnapshotId",
    schema: poem_openapi::registry::MetaSchemaRef::Inline(Box::new(
        poem_openapi::registry::MetaSchema::new_with_format("string", "uuid"),
    )),
    register: |_registry| ()
);

impl SnapshotView {
    /// The snapshot as it is listed.
    #[must_use]
    pub fn new(head: &SnapshotHead) -> Self {
        Self {
            snapshot_id: SnapshotIdText(head.id),
            instrument: Words::from(head.instrument.clone()),
            sequence: Count(head.sequence.get()),
            order_count: Count(head.order_count),
            created_at: TimestampText(head.created_at),
        }
    }
}

impl WholeSnapshotView {
    /// The snapshot with all it holds.
    #[must_use]
    pub fn new(snapshot: &BookSnapshot) -> Self {
        let instrument = &*snapshot.instrument;
        let orders = snapshot.orders.iter();
        Self {
            snapshot_id: SnapshotIdText(snapshot.id),
            instrument: SymbolText(instrument.symbol.clone()),
            sequence: Count(snapshot.sequence.get()),
            order_count: Count::from(snapshot.orders.len()),
            created_at: TimestampText(snapshot.created_at),
            bids: levels(&snapshot.bids, instrument),
            asks: levels(&snapshot.asks, instrument),
            orders: orders
                .map(|order| OrderView::new(order, instrument))
                .collect(),
        }
    }
}

fn levels(levels: &[BookLevel], instrument: &Instrument) -> Vec<LevelView> {
    let views = levels.iter().map(|level| LevelView::new(level, instrument));
    views.collect()
}
