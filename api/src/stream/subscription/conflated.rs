//! Several deltas as one.

use std::collections::BTreeMap;

use shardbook_engine::id::Sequence;
use shardbook_engine::market_data::{BookDelta, ChangeId};
use shardbook_engine::price::Price;
use shardbook_engine::quantity::Volume;
use shardbook_engine::time::Timestamp;

/// Deltas that wait to be sent as one.
pub(super) struct Conflated {
    previous_sequence: Sequence,
    id: ChangeId,
    timestamp: Timestamp,
    bids: BTreeMap<Price, Volume>,
    asks: BTreeMap<Price, Volume>,
}

impl Conflated {
    /// Nothing yet, to go on behind what `first` goes on behind.
    pub(super) const fn after(first: &BookDelta) -> Self {
        Self {
            previous_sequence: first.previous_sequence,
            id: ChangeId::ZERO,
            timestamp: first.timestamp,
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, id: ChangeId, delta: &BookDelta) {
        self.id = id;
        self.timestamp = delta.timestamp;
        self.bids.extend(delta.bids.iter().copied());
        self.asks.extend(delta.asks.iter().copied());
    }

    pub(super) fn into_delta(self) -> (ChangeId, BookDelta) {
        let delta = BookDelta {
            previous_sequence: self.previous_sequence,
            timestamp: self.timestamp,
            bids: self.bids.into_iter().rev().collect(),
            asks: self.asks.into_iter().collect(),
        };
        (self.id, delta)
    }
}
