//! The idempotency keys that still answer, each with its order as it stood right after its
//! placement.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use xxhash_rust::xxh3::xxh3_128;

use crate::answer::FirstAnswer;
use crate::id::{ClientId, IdempotencyKey, OrderId, OrderRef};
use crate::order::{ChosenId, NewOrder, Order, OrderKind, SelfTradePrevention, TimeInForce};
use crate::side::Side;
use crate::time::Timestamp;

use super::state::BoundKey;
use super::window::Window;

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

impl KeyWindow {
    pub(super) fn new(limit: usize, age_max: Duration) -> Self {
        Self {
            keys: Window::default(),
            hasher: RandomState::default(),
            limit,
            age_max,
        }
    }

    /// Under which hash a client's key is kept.
    pub(super) fn hash(&self, client: &ClientId, key: &IdempotencyKey) -> u64 {
        hash(&self.hasher, client, key)
    }

    /// Has the machine fetch what [`KeyWindow::look_up`] looks at first.
    pub(super) fn touch(&self, hash: u64) {
        self.keys.touch(hash);
    }

    /// Has the machine fetch what letting go of keys takes, should so many come in.
    pub(super) fn prepare(&self, coming: usize) {
        let too_many = (self.keys.len() + coming).saturating_sub(self.limit);
        self.keys.touch_oldest(too_many, |bound| {
            hash(&self.hasher, &bound.client, &bound.key)
        });
    }

    /// How a key, of this hash, has been used, seen from `at`.
    pub(super) fn look_up(
        &self,
        hash: u64,
        key: &IdempotencyKey,
        order: &NewOrder,
        at: Timestamp,
    ) -> KeyUse {
        let is = |bound: &BoundKey| bound.key == *key && bound.client == order.client;
        match self.keys.find(hash, is) {
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

    /// Binds a key, of this hash.
    pub(super) fn bind(&mut self, hash: u64, bound: BoundKey) {
        let same_key =
            |one: &BoundKey, other: &BoundKey| one.key == other.key && one.client == other.client;
        self.keys.push(hash, bound, same_key);
        while self.keys.len() > self.limit {
            self.forget_oldest();
        }
    }

    /// Forgets keys that are too old at `at`, a record's stamp.
    pub(super) fn expire(&mut self, at: Timestamp) {
        let age_max = self.age_max;
        let too_old = |bound: &BoundKey| at.since(bound.created_at) > age_max;
        while self.keys.front().is_some_and(too_old) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let hasher = &self.hasher;
        self.keys
            .pop(|bound| hash(hasher, &bound.client, &bound.key));
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &BoundKey> {
        self.keys.iter()
    }
}

fn hash(hasher: &RandomState, client: &ClientId, key: &IdempotencyKey) -> u64 {
    hasher.hash_one((client.as_bytes(), key.as_bytes()))
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
#[expect(clippy::expect_used, reason = "an id is no longer than the longest")]
pub(super) fn fingerprint(order: &NewOrder) -> u128 {
    let mut bytes = [0; FIXED_BYTES + OrderId::LENGTH_MAX];
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
    let id: &[u8] = match &order.id {
        // Ids are never empty: nothing here is an id left out.
        ChosenId::Exchange(_) => &[],
        ChosenId::Client(id) => id.as_bytes(),
    };
    let parts: [&[u8]; 4] = [
        &[side, kind, time_in_force, self_trade_prevention],
        &price.to_le_bytes(),
        &order.quantity.lots().to_le_bytes(),
        id,
    ];
    let mut rest = bytes.as_mut_slice();
    for part in parts {
        let place = rest.split_off_mut(..part.len());
        place
            .expect("made as long as all of it")
            .copy_from_slice(part);
    }
    let free = rest.len();
    let (request, _) = bytes.split_at(bytes.len() - free);
    xxh3_128(request)
}
