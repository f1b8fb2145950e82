//! Version 1 of a checkpoint's bytes: one byte for the version, then postcard of the structs
//! below, one after another; a list is its length and then its values, so that neither writing
//! nor reading holds a million of them twice.
//!
//! Frozen: the order of values, fields and variants *is* the format. A client's resting order is
//! told once, by the shard; its row in the market data holds only what the shard does not know.

mod analytics;
mod market_data;
mod shard;

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::id::Sequence;
use crate::instrument::Instrument;
use crate::market_data::{MarketData, MarketDataLimits};
use crate::order::{CancelReason, OrderKind, OrderState, Rejection};
use crate::order::{SelfTradePrevention, TimeInForce};
use crate::record::RecordError;
use crate::record::wire::{self, price, wire_enum};
use crate::shard::{ClientResting, RestingOrder, Shard, ShardLimits, ShardState};
use crate::side::Side;

use serde::{Deserialize, Serialize};

const VERSION: u8 = 1;

/// Most values that room is made for before any is read.
const ROOM_MAX: u64 = 65_536;

pub(super) fn encode(shard: &Shard, market_data: &MarketData) -> Vec<u8> {
    let state = shard.export();
    let mut bytes = vec![VERSION];
    shard::encode(&state, &mut bytes);
    market_data::encode(market_data, &resting(&state), &mut bytes);
    bytes
}

pub(super) fn decode(
    bytes: &[u8],
    instrument: &Arc<Instrument>,
    shard_limits: ShardLimits,
    market_data_limits: MarketDataLimits,
) -> Result<(Shard, MarketData), RecordError> {
    let (&version, mut rest) = bytes.split_first().ok_or(RecordError::Truncated)?;
    if version != VERSION {
        let known = VERSION;
        return Err(RecordError::UnknownVersion { version, known });
    }
    let state = shard::decode(&mut rest)?;
    let market_data = market_data::decode(
        &mut rest,
        Arc::clone(instrument),
        market_data_limits,
        &resting(&state),
    )?;
    if !rest.is_empty() {
        let surplus = rest.len();
        return Err(RecordError::Surplus { surplus });
    }
    let shard = Shard::import(Arc::clone(instrument), shard_limits, state);
    Ok((shard, market_data))
}

/// The clients' resting orders by their placements.
type Resting<'a> = HashMap<Sequence, &'a ClientResting, RandomState>;

fn resting(state: &ShardState) -> Resting<'_> {
    let orders = state.resting.iter().filter_map(|order| match order {
        RestingOrder::Client(order) => Some((order.placed, order)),
        RestingOrder::Mirror(_) => None,
    });
    orders.collect()
}

/// Reads a list's values one by one.
fn list<T>(
    bytes: &mut &[u8],
    mut read: impl FnMut(&mut &[u8]) -> Result<T, RecordError>,
) -> Result<Vec<T>, RecordError> {
    let length: u64 = wire::take(bytes)?;
    let mut values = Vec::with_capacity(usize::try_from(length.min(ROOM_MAX)).unwrap_or(0));
    for _ in 0..length {
        values.push(read(bytes)?);
    }
    Ok(values)
}

/// Writes a list's length.
fn put_length(length: usize, bytes: &mut Vec<u8>) {
    wire::append_bare(&u64::try_from(length).unwrap_or(u64::MAX), bytes);
}

wire_enum!(WireSide stands for Side { Buy, Sell });
wire_enum!(WireTimeInForce stands for TimeInForce { Gtc, Ioc, Fok, PostOnly });
wire_enum!(WireSelfTradePrevention stands for SelfTradePrevention {
    None, CancelTaker, CancelMaker, CancelBoth,
});
wire_enum!(WireRejection stands for Rejection {
    InstrumentHalted, TooManyOpenOrders, PriceOutsideBand, PostOnlyWouldCross, FokNotFillable,
    NoLiquidity,
});
wire_enum!(WireCancelReason stands for CancelReason {
    Requested, BookExhausted, IocRemainder, SelfTrade, MassCancel, Disconnected, Mirror,
});

#[derive(Clone, Copy, Serialize, Deserialize)]
enum WireOrderKind {
    Limit {
        price: u64,
        time_in_force: WireTimeInForce,
    },
    Market,
}

impl WireOrderKind {
    fn of(kind: OrderKind) -> Self {
        match kind {
            OrderKind::Limit {
                price,
                time_in_force,
            } => Self::Limit {
                price: price.ticks(),
                time_in_force: time_in_force.into(),
            },
            OrderKind::Market => Self::Market,
        }
    }

    fn into_kind(self) -> Result<OrderKind, RecordError> {
        Ok(match self {
            Self::Limit {
                price: ticks,
                time_in_force,
            } => OrderKind::Limit {
                price: price(ticks)?,
                time_in_force: time_in_force.into(),
            },
            Self::Market => OrderKind::Market,
        })
    }
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum WireOrderState {
    Resting,
    Filled,
    Cancelled(WireCancelReason),
    Rejected(WireRejection),
}

impl WireOrderState {
    fn of(state: OrderState) -> Self {
        match state {
            OrderState::Resting => Self::Resting,
            OrderState::Filled => Self::Filled,
            OrderState::Cancelled(reason) => Self::Cancelled(reason.into()),
            OrderState::Rejected(rejection) => Self::Rejected(rejection.into()),
        }
    }

    fn into_state(self) -> OrderState {
        match self {
            Self::Resting => OrderState::Resting,
            Self::Filled => OrderState::Filled,
            Self::Cancelled(reason) => OrderState::Cancelled(reason.into()),
            Self::Rejected(rejection) => OrderState::Rejected(rejection.into()),
        }
    }
}
