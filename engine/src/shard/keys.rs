//! The idempotency keys that still answer, each with its order as it stood right after its
//! placement.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use xxhash_rust::xxh3::xxh3_128;

use crate::answer::FirstAnswer;
use crate::id::{IdempotencyKey, OrderId, OrderRef};
use crate::order::{ChosenId, NewOrder, Order, OrderKind, SelfTradePrevention, TimeInForce};
use crate::side::Side;
use crate::time::Timestamp;

use super::hashed::Hashed;
use super::state::BoundKey;
use super::window::{Keyed, Window};

/// A window over keyed orders, of a bounded number and age.
#[derive(Debug)]
pub(super) struct KeyWindow {
    keys: Window<BoundKey>,
    hasher: RandomState,
    limit: usize,
    age_max: Duration,
}

/// What a key says about a request.
pub(super) enum KeyUse {
    Free,
    SameRequest(FirstAnswer),
    OtherRequest,
}

impl Keyed for BoundKey {
    type Key<'a> = (&'a str, &'a str);

    fn key(&self) -> (&str, &str) {
        (self.client.as_str(), self.key.as_str())
    }
}

impl KeyWindow {
    pub(super) fn new(limit: usize, age_max: Duration) -> Self {
        Self {
            keys: Window::default(),
            hasher: RandomState::default(),
            limit,
            age_max,
        }
    }

    /// How `key` has been used, seen from `at`.
    pub(super) fn look_up(&self, key: &IdempotencyKey, order: &NewOrder, at: Timestamp) -> KeyUse {
        let key = (order.client.as_str(), key.as_str());
        match self.keys.find(self.hasher.hash_one(key), &key) {
            // One that is too old may still be held: only records forget.
            Some(bound) if at.since(bound.created_at) <= self.age_max => {
                if bound.fingerprint == fingerprint(order) {
                    KeyUse::SameRequest(bound.first_answer())
                } else {
                    KeyUse::OtherRequest
                }
            }
            Some(_) | None => KeyUse::Free,
        }
    }

    pub(super) fn bind(&mut self, bound: BoundKey) {
        self.keys.push(Hashed {
            hash: self.hasher.hash_one(bound.key()),
            value: bound,
        });
        while self.keys.len() > self.limit {
            self.keys.pop();
        }
    }

    /// Forgets keys that are too old at `at`, a record's stamp.
    pub(super) fn expire(&mut self, at: Timestamp) {
        let age_max = self.age_max;
        let too_old = |bound: &BoundKey| at.since(bound.created_at) > age_max;
        while self.keys.front().is_some_and(too_old) {
            self.keys.pop();
        }
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &BoundKey> {
        self.keys.iter()
    }
}

impl BoundKey {
    fn first_answer(&self) -> FirstAnswer {
        FirstAnswer {
            order: Arc::new(Order {
                id: self.order_id.clone(),
                client: self.client.clone(),
                idempotency_key: Some(self.key.clone()),
                side: self.side,
                kind: self.kind,
                quantity: self.quantity,
                self_trade_prevention: self.self_trade_prevention,
                state: self.state,
                filled_quantity: self.filled_quantity,
                filled_notional: self.filled_notional,
                trade_count: self.trade_count,
                placed: OrderRef::single(self.sequence),
                updated: self.sequence,
                created_at: self.created_at,
                updated_at: self.created_at,
            }),
            first_trade: self.first_trade,
        }
    }
}

/// Bytes of a request besides its id: side, kind, time in force and self-trade prevention, price
/// and quantity.
const FIXED_BYTES: usize = 4 + 8 + 8;

/// What tells two requests under the same client and key apart: the 128-bit xxh3 hash of the
/// parsed request, in which an id that was left out counts as left out. Checkpoints keep it: how
/// it is made must not change.
pub(super) fn fingerprint(order: &NewOrder) -> u128 {
    let mut bytes = Vec::with_capacity(FIXED_BYTES + OrderId::LENGTH_MAX);
    let (kind, time_in_force, price) = match order.kind {
        OrderKind::Market => (0, 0, 0),
        OrderKind::Limit {
            price,
            time_in_force,
        } => {
            let time_in_force = match time_in_force {
                TimeInForce::Gtc => 0,
                TimeInForce::Ioc => 1,
                TimeInForce::Fok => 2,
                TimeInForce::PostOnly => 3,
            };
            (1, time_in_force, price.ticks())
        }
    };
    let side = match order.side {
        Side::Buy => 0,
        Side::Sell => 1,
    };
    let self_trade_prevention = match order.self_trade_prevention {
        SelfTradePrevention::None => 0,
        SelfTradePrevention::CancelTaker => 1,
        SelfTradePrevention::CancelMaker => 2,
        SelfTradePrevention::CancelBoth => 3,
    };
    bytes.extend([side, kind, time_in_force, self_trade_prevention]);
    bytes.extend(price.to_le_bytes());
    bytes.extend(order.quantity.lots().to_le_bytes());
    match &order.id {
        // Ids are never empty: nothing here is an id left out.
        ChosenId::Exchange(_) => {}
        ChosenId::Client(id) => bytes.extend(id.as_str().bytes()),
    }
    xxh3_128(&bytes)
}
