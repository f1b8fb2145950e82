//! Version 1 of a checkpoint's bytes: one byte for the version, then postcard of the structs
//! below, one after another; a list is its length and then its values, so that neither writing
//! nor reading holds a million of them twice.
//!
//! Frozen: the order of values, fields and variants *is* the format. A client's resting order is
//! told once, by the shard; its row in the market data holds only what the shard does not know.

mod analytics;
mod market_data;
mod resting;
mod shard;

use std::sync::Arc;
use std::{panic, thread};

use crate::instrument::Instrument;
use crate::market_data::{MarketData, MarketDataLimits};
use crate::order::{CancelReason, OrderKind, OrderState, Rejection};
use crate::order::{SelfTradePrevention, TimeInForce};
use crate::record::RecordError;
use crate::record::wire::{self, price, wire_enum};
use crate::shard::{RestingOrder, Shard, ShardLimits, ShardState};
use crate::side::Side;

use self::resting::Resting;

use serde::{Deserialize, Serialize};

const VERSION: u8 = 1;

/// How much larger than their bytes values are at most when room for them is made before any is
/// read: a row takes some six times the bytes of a resting order's.
const ROOM_FACTOR_MAX: usize = 16;

pub(super) fn encode(shard: &Shard, market_data: &MarketData) -> Vec<u8> {
    let state = shard.export();
    let mut bytes = vec![VERSION];
    shard::encode(&state, &mut bytes);
    market_data::encode(market_data, Resting::of(&state.resting), &mut bytes);
    bytes
}

/// What bytes tell, of which the market data is yet to be read.
pub(super) struct Told<'a> {
    /// What rests.
    pub(super) resting: Vec<RestingOrder>,
    /// The shard's state beside it.
    state: ShardState,
    market_data: &'a [u8],
}

impl<'a> Told<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let (&version, mut rest) = bytes.split_first().ok_or(RecordError::Truncated)?;
        if version != VERSION {
            let known = VERSION;
            return Err(RecordError::UnknownVersion { version, known });
        }
        let mut state = shard::decode(&mut rest)?;
        Ok(Self {
            resting: std::mem::take(&mut state.resting),
            state,
            market_data: rest,
        })
    }

    /// The shard alone.
    pub(super) fn shard(self, instrument: &Arc<Instrument>, limits: ShardLimits) -> Shard {
        Shard::import_beside(Arc::clone(instrument), limits, &self.resting, self.state)
    }

    /// Shard and market data, one after the other.
    pub(super) fn both(
        self,
        instrument: &Arc<Instrument>,
        shard_limits: ShardLimits,
        limits: MarketDataLimits,
    ) -> Result<(Shard, MarketData), RecordError> {
        let market_data = market_data(self.market_data, instrument, limits, &self.resting)?;
        Ok((self.shard(instrument, shard_limits), market_data))
    }

    /// Shard and market data, on a thread each; the shard's then does `also` with what rests.
    pub(super) fn both_at_once(
        self,
        instrument: &Arc<Instrument>,
        shard_limits: ShardLimits,
        limits: MarketDataLimits,
        also: impl FnOnce(&[RestingOrder]) + Send,
    ) -> Result<(Shard, MarketData), RecordError> {
        let Self {
            resting,
            state,
            market_data: bytes,
        } = self;
        thread::scope(|scope| {
            let shard = scope.spawn(|| {
                let shard =
                    Shard::import_beside(Arc::clone(instrument), shard_limits, &resting, state);
                also(&resting);
                shard
            });
            let market_data = market_data(bytes, instrument, limits, &resting);
            let shard = shard.join();
            let shard = shard.unwrap_or_else(|payload| panic::resume_unwind(payload));
            Ok((shard, market_data?))
        })
    }
}

fn market_data(
    mut bytes: &[u8],
    instrument: &Arc<Instrument>,
    limits: MarketDataLimits,
    resting: &[RestingOrder],
) -> Result<MarketData, RecordError> {
    let resting = Resting::of(resting);
    let market_data = market_data::decode(&mut bytes, Arc::clone(instrument), limits, resting)?;
    if !bytes.is_empty() {
        let surplus = bytes.len();
        return Err(RecordError::Surplus { surplus });
    }
    Ok(market_data)
}

/// Reads a list's values one by one.
fn list<T>(
    bytes: &mut &[u8],
    mut read: impl FnMut(&mut &[u8]) -> Result<T, RecordError>,
) -> Result<Vec<T>, RecordError> {
    let length: u64 = wire::take(bytes)?;
    let mut values = Vec::with_capacity(room::<T>(length, bytes));
    for _ in 0..length {
        values.push(read(bytes)?);
    }
    Ok(values)
}

/// How many values to make room for, of as many as `bytes` are said to begin with: should that be
/// a lie, it does not take more memory than they do by much.
fn room<T>(length: u64, bytes: &[u8]) -> usize {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    length.min(bytes.len().saturating_mul(ROOM_FACTOR_MAX) / size_of::<T>().max(1))
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
