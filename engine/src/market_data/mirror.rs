//! The mirror's resting orders: a row each, with nothing that all of them share.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use crate::id::{ClientId, OrderId, OrderRef, Sequence};
use crate::market_data::trades::Fills;
use crate::order::{Order, OrderKind, OrderState, SelfTradePrevention, TimeInForce, Trade};
use crate::price::Price;
use crate::quantity::{Notional, Quantity};
use crate::side::Side;
use crate::time::Timestamp;

/// One order of the mirror's.
#[derive(Clone, Debug)]
pub(super) struct MirrorRow {
    pub(super) side: Side,
    pub(super) price: Price,
    pub(super) quantity: Quantity,
    pub(super) created_at: Timestamp,
    pub(super) updated: Sequence,
    pub(super) updated_at: Timestamp,
    pub(super) fills: Option<Box<Fills>>,
}

impl MirrorRow {
    pub(super) fn remaining_quantity(&self) -> Quantity {
        let filled = self.fills.as_ref().map(|fills| fills.quantity);
        self.quantity - filled.unwrap_or_default()
    }

    pub(super) fn add_fill(&mut self, trade: &Arc<Trade>) {
        self.fills.get_or_insert_default().add(trade);
    }
}

/// The mirror's resting orders. Closed ones go at once: those that had traded are found in the
/// database, the others nowhere.
#[derive(Debug)]
pub(super) struct MirrorOrders {
    rows: BTreeMap<OrderRef, MirrorRow>,
    client: ClientId,
    newest_let_go: Sequence,
}

impl MirrorOrders {
    pub(super) fn new() -> Self {
        Self {
            rows: BTreeMap::new(),
            client: ClientId::binance_depth(),
            newest_let_go: Sequence::ZERO,
        }
    }

    pub(super) const fn client(&self) -> &ClientId {
        &self.client
    }

    pub(super) fn insert(&mut self, placed: OrderRef, row: MirrorRow) {
        let before = self.rows.insert(placed, row);
        assert!(before.is_none(), "an order is placed once");
    }

    pub(super) fn get(&self, order: OrderRef) -> Option<&MirrorRow> {
        self.rows.get(&order)
    }

    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    pub(super) fn get_mut(&mut self, order: OrderRef) -> &mut MirrorRow {
        self.rows
            .get_mut(&order)
            .expect("a mirrored order that changes is there")
    }

    /// Takes a closed order away.
    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    pub(super) fn remove(&mut self, order: OrderRef, now: Sequence) {
        let row = self.rows.remove(&order).expect("an order closes once");
        if row.fills.is_some() {
            self.newest_let_go = now;
        }
    }

    /// The order as everyone sees it.
    pub(super) fn show(&self, placed: OrderRef, row: &MirrorRow) -> Order {
        let fills = row.fills.as_deref();
        Order {
            id: OrderId::mirror(placed),
            client: self.client.clone(),
            idempotency_key: None,
            side: row.side,
            kind: OrderKind::Limit {
                price: row.price,
                time_in_force: TimeInForce::Gtc,
            },
            quantity: row.quantity,
            self_trade_prevention: SelfTradePrevention::None,
            state: OrderState::Resting,
            filled_quantity: fills.map_or(Quantity::ZERO, |fills| fills.quantity),
            filled_notional: fills.map_or(Notional::ZERO, |fills| fills.notional),
            trade_count: fills.map_or(0, |fills| fills.count),
            placed,
            updated: row.updated,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }

    /// Every order placed before `before`, newest first.
    pub(super) fn newest_first(
        &self,
        before: Option<OrderRef>,
    ) -> impl Iterator<Item = (OrderRef, &MirrorRow)> {
        let end = before.map_or(Bound::Unbounded, Bound::Excluded);
        self.rows
            .range((Bound::Unbounded, end))
            .rev()
            .map(|(placed, row)| (*placed, row))
    }

    /// The oldest of the orders that the commands from `sequence` on placed.
    pub(super) fn oldest_from(&self, sequence: Sequence) -> Option<(OrderRef, Timestamp)> {
        let from = OrderRef::single(sequence);
        let (placed, row) = self.rows.range(from..).next()?;
        Some((*placed, row.created_at))
    }

    /// Every order, oldest first.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (OrderRef, &MirrorRow)> {
        self.rows.iter().map(|(placed, row)| (*placed, row))
    }

    pub(super) const fn restore_newest_let_go(&mut self, newest: Sequence) {
        self.newest_let_go = newest;
    }

    /// The last change of the newest closed order that had traded.
    pub(super) const fn newest_let_go(&self) -> Sequence {
        self.newest_let_go
    }
}

/// Which of the mirror's orders an id names, written as the core writes it.
pub(super) fn parse_id(id: &OrderId) -> Option<OrderRef> {
    let (sequence, index) = id
        .as_str()
        .strip_prefix("binance-depth:")?
        .split_once(':')?;
    let order = OrderRef {
        sequence: Sequence::new(sequence.parse().ok()?),
        index: index.parse().ok()?,
    };
    (OrderId::mirror(order) == *id).then_some(order)
}
