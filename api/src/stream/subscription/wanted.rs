//! What a consumer asks for.

use std::sync::Arc;
use std::time::Duration;

use shardbook_engine::id::ClientId;

use crate::access::{ActsFor, Trader};
use crate::stream::channel::SharedChannels;

/// What a consumer asks for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Which events.
    pub channels: Arc<SharedChannels>,
    /// How often deltas are sent at most.
    pub pace: Pace,
    /// Of the orders, whose.
    pub orders_of: OrdersOf,
}

/// Whose orders a consumer is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrdersOf {
    /// All of them.
    Everyone,
    /// Those of this client.
    Client(ClientId),
}

impl OrdersOf {
    /// Those that this caller may see.
    #[must_use]
    pub fn visible_to(trader: &Trader) -> Self {
        match trader.acts_for() {
            ActsFor::Any(_) => Self::Everyone,
            ActsFor::Only(client) => Self::Client(client.clone()),
        }
    }

    pub(super) fn includes(&self, client: &ClientId) -> bool {
        match self {
            Self::Everyone => true,
            Self::Client(own) => own == client,
        }
    }
}

/// How often deltas are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Each by itself.
    EachDelta,
    /// Those of so long as one.
    Every(Duration),
}
