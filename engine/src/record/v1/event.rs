//! Events as bytes.

use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use super::command::WireSide;
use super::{price, quantity, some_quantity, wire_enum};
use crate::event::{Event, Maker, MirrorMaker, Priority};
use crate::id::{OrderRef, Sequence};
use crate::order::{CancelReason, Rejection};
use crate::quantity::Notional;
use crate::record::RecordError;
use crate::time::Timestamp;

/// What the record says for all its events.
#[derive(Clone, Copy)]
pub(super) struct Context {
    pub(super) sequence: Sequence,
    pub(super) timestamp: Timestamp,
}

/// An event. New ones are added at the end.
#[derive(Serialize, Deserialize)]
pub(super) enum WireEvent {
    Rejected(WireRejection),
    Traded {
        maker: WireRef,
        price: u64,
        quantity: u64,
    },
    TradedWithMirror {
        maker: WireRef,
        price: u64,
        quantity: u64,
        maker_quantity: u64,
        maker_filled_quantity: u64,
        maker_filled_notional: u128,
        maker_trade_count: u64,
        maker_age_microseconds: u64,
    },
    Cancelled {
        order: WireRef,
        reason: WireCancelReason,
    },
    Amended {
        order: WireRef,
        price: u64,
        quantity: u64,
        priority: WirePriority,
    },
    MirrorAdded {
        index: u32,
        side: WireSide,
        price: u64,
        quantity: u64,
    },
    MirrorReduced {
        order: WireRef,
        quantity: u64,
    },
}

/// An order, by how many records before this one it was placed.
#[derive(Serialize, Deserialize)]
pub(super) struct WireRef {
    records_ago: u64,
    index: u32,
}

wire_enum!(WireRejection stands for Rejection {
    InstrumentHalted, TooManyOpenOrders, PriceOutsideBand, PostOnlyWouldCross, FokNotFillable,
    NoLiquidity,
});
wire_enum!(WireCancelReason stands for CancelReason {
    Requested, BookExhausted, IocRemainder, SelfTrade, MassCancel, Disconnected, Mirror,
});
wire_enum!(WirePriority stands for Priority { Kept, Lost });

/// A record's events, written without a copy.
pub(super) struct Events<'a> {
    pub(super) events: &'a [Event],
    pub(super) context: Context,
}

impl Serialize for Events<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(
            self.events
                .iter()
                .map(|event| WireEvent::of(event, self.context)),
        )
    }
}

impl WireEvent {
    fn of(event: &Event, context: Context) -> Self {
        match event {
            Event::Rejected(rejection) => Self::Rejected((*rejection).into()),
            Event::Traded {
                maker: Maker::Client(order),
                price,
                quantity,
            } => Self::Traded {
                maker: WireRef::of(*order, context),
                price: price.ticks(),
                quantity: quantity.lots(),
            },
            Event::Traded {
                maker: Maker::Mirror(maker),
                price,
                quantity,
            } => Self::TradedWithMirror {
                maker: WireRef::of(maker.order, context),
                price: price.ticks(),
                quantity: quantity.lots(),
                maker_quantity: maker.quantity.lots(),
                maker_filled_quantity: maker.filled_quantity.lots(),
                maker_filled_notional: maker.filled_notional.ticks_times_lots(),
                maker_trade_count: maker.trade_count,
                maker_age_microseconds: age(maker.created_at, context),
            },
            Event::Cancelled { order, reason } => Self::Cancelled {
                order: WireRef::of(*order, context),
                reason: (*reason).into(),
            },
            Event::Amended {
                order,
                price,
                quantity,
                priority,
            } => Self::Amended {
                order: WireRef::of(*order, context),
                price: price.ticks(),
                quantity: quantity.lots(),
                priority: (*priority).into(),
            },
            Event::MirrorAdded {
                index,
                side,
                price,
                quantity,
            } => Self::MirrorAdded {
                index: *index,
                side: (*side).into(),
                price: price.ticks(),
                quantity: quantity.lots(),
            },
            Event::MirrorReduced { order, quantity } => Self::MirrorReduced {
                order: WireRef::of(*order, context),
                quantity: quantity.lots(),
            },
        }
    }

    pub(super) fn into_event(self, context: Context) -> Result<Event, RecordError> {
        Ok(match self {
            Self::Rejected(rejection) => Event::Rejected(rejection.into()),
            Self::Traded {
                maker,
                price: ticks,
                quantity: lots,
            } => Event::Traded {
                maker: Maker::Client(maker.into_order(context)?),
                price: price(ticks)?,
                quantity: some_quantity(lots)?,
            },
            Self::TradedWithMirror {
                maker,
                price: ticks,
                quantity: lots,
                maker_quantity,
                maker_filled_quantity,
                maker_filled_notional,
                maker_trade_count,
                maker_age_microseconds,
            } => Event::Traded {
                maker: Maker::Mirror(MirrorMaker {
                    order: maker.into_order(context)?,
                    quantity: some_quantity(maker_quantity)?,
                    filled_quantity: quantity(maker_filled_quantity, "maker filled quantity")?,
                    filled_notional: Notional::new(maker_filled_notional),
                    trade_count: maker_trade_count,
                    created_at: created_at(maker_age_microseconds, context)?,
                }),
                price: price(ticks)?,
                quantity: some_quantity(lots)?,
            },
            Self::Cancelled { order, reason } => Event::Cancelled {
                order: order.into_order(context)?,
                reason: reason.into(),
            },
            Self::Amended {
                order,
                price: ticks,
                quantity: lots,
                priority,
            } => Event::Amended {
                order: order.into_order(context)?,
                price: price(ticks)?,
                quantity: some_quantity(lots)?,
                priority: priority.into(),
            },
            Self::MirrorAdded {
                index,
                side,
                price: ticks,
                quantity: lots,
            } => Event::MirrorAdded {
                index,
                side: side.into(),
                price: price(ticks)?,
                quantity: some_quantity(lots)?,
            },
            Self::MirrorReduced {
                order,
                quantity: lots,
            } => Event::MirrorReduced {
                order: order.into_order(context)?,
                quantity: some_quantity(lots)?,
            },
        })
    }
}

impl WireRef {
    #[expect(clippy::expect_used, reason = "a bug stops its shard")]
    fn of(order: OrderRef, context: Context) -> Self {
        let records_ago = context.sequence.get().checked_sub(order.sequence.get());
        Self {
            records_ago: records_ago.expect("a record speaks of orders placed by then"),
            index: order.index,
        }
    }

    fn into_order(self, context: Context) -> Result<OrderRef, RecordError> {
        let sequence = context.sequence.get().checked_sub(self.records_ago);
        match sequence {
            None | Some(0) => Err(RecordError::OutOfRange { field: "order" }),
            Some(sequence) => Ok(OrderRef {
                sequence: Sequence::new(sequence),
                index: self.index,
            }),
        }
    }
}

#[expect(clippy::expect_used, reason = "a bug stops its shard")]
fn age(created_at: Timestamp, context: Context) -> u64 {
    let age = context
        .timestamp
        .microseconds()
        .checked_sub(created_at.microseconds());
    age.expect("stamps never decrease")
}

fn created_at(age_microseconds: u64, context: Context) -> Result<Timestamp, RecordError> {
    let created_at = context
        .timestamp
        .microseconds()
        .checked_sub(age_microseconds);
    created_at
        .map(Timestamp::from_microseconds)
        .ok_or(RecordError::OutOfRange { field: "maker age" })
}
