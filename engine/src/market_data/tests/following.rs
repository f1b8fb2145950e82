//! What those are told who watch, against what the naive fold says changed.

use super::*;

/// Someone who knows only what they are told.
pub(super) struct Follower {
    pub(super) sequence: Sequence,
    pub(super) bids: BTreeMap<Price, Volume>,
    pub(super) asks: BTreeMap<Price, Volume>,
}

impl Follower {
    pub(super) fn from(image: BookImage) -> Self {
        Self {
            sequence: image.sequence,
            bids: image.bids.into_iter().collect(),
            asks: image.asks.into_iter().collect(),
        }
    }

    pub(super) fn follow(&mut self, change: &Change) {
        if let ChangeKind::Delta(delta) = &change.kind {
            assert_eq!(delta.previous_sequence, self.sequence);
            self.sequence = change.id.sequence;
            for (levels, changed) in [(&mut self.bids, &delta.bids), (&mut self.asks, &delta.asks)]
            {
                for (price, volume) in changed {
                    let before = if volume.is_zero() {
                        levels.remove(price)
                    } else {
                        levels.insert(*price, *volume)
                    };
                    assert_ne!(
                        before.unwrap_or_default(),
                        *volume,
                        "a level that stays is not told"
                    );
                }
            }
        }
    }
}

pub(super) fn check_changes(naive: &Naive, changes: &[Change]) {
    let sequence = Sequence::new(naive.sequence);
    for (change, index) in changes.iter().zip(1..) {
        assert_eq!(change.id, ChangeId { sequence, index });
    }
    let told_trades: Vec<_> = changes
        .iter()
        .filter_map(|change| match &change.kind {
            ChangeKind::Trade(trade) => Some(Trade::clone(trade)),
            ChangeKind::Order(_) | ChangeKind::Delta(_) => None,
        })
        .collect();
    let first = usize::try_from(naive.first_trade).unwrap() - 1;
    assert_eq!(told_trades, naive.trades[first..]);
    let mut told_orders: Vec<_> = changes
        .iter()
        .filter_map(|change| match &change.kind {
            ChangeKind::Order(order) => Some(Order::clone(order)),
            ChangeKind::Trade(_) | ChangeKind::Delta(_) => None,
        })
        .collect();
    told_orders.sort_by_key(|order| order.placed);
    let changed = naive
        .orders
        .iter()
        .filter(|order| order.updated == sequence && (order.placed.index == 0));
    assert_eq!(told_orders, changed.cloned().collect::<Vec<_>>());
}
