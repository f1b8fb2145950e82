//! Commands as bytes.

use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use super::{price, quantity, some_quantity, wire_enum};
use crate::command::{
    Amend, Cancel, Command, FeedSource, MassCancel, MirrorLevel, MirrorScope, MirrorUpdate,
    OrderChange, Requester, Tape,
};
use crate::id::{ClientId, IdError, IdempotencyKey, OrderId};
use crate::order::{CancelReason, ChosenId, NewOrder, OrderKind, SelfTradePrevention, TimeInForce};
use crate::record::RecordError;
use crate::side::Side;
use crate::time::Day;

/// A command. New ones are added at the end.
#[derive(Serialize, Deserialize)]
pub(super) enum WireCommand<'a, Levels> {
    #[serde(borrow)]
    Place(WireOrder<'a>),
    Cancel {
        order_id: &'a str,
        requester: WireRequester<'a>,
    },
    Amend {
        order_id: &'a str,
        requester: WireRequester<'a>,
        change: WireChange,
    },
    MassCancel {
        client: &'a str,
        side: Option<WireSide>,
        reason: WireMassCancelReason,
    },
    Tape {
        source: WireFeedSource,
        symbol: &'a str,
        first_trade_id: u64,
        last_trade_id: u64,
        side: WireSide,
        quantity: u64,
    },
    Mirror {
        source: WireFeedSource,
        snapshot_id: u64,
        update_id: u64,
        scope: WireMirrorScope,
        levels: Levels,
    },
    WithdrawMirror,
    Halt,
    Resume,
    CloseDay {
        /// Days since 1970-01-01.
        day: u64,
    },
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireOrder<'a> {
    #[serde(borrow)]
    id: WireChosenId<'a>,
    client: &'a str,
    #[serde(borrow)]
    idempotency_key: Option<&'a str>,
    side: WireSide,
    kind: WireOrderKind,
    quantity: u64,
    self_trade_prevention: WireSelfTradePrevention,
}

#[derive(Serialize, Deserialize)]
enum WireChosenId<'a> {
    Client(&'a str),
    Exchange(&'a str),
}

#[derive(Serialize, Deserialize)]
enum WireOrderKind {
    Limit {
        price: u64,
        time_in_force: WireTimeInForce,
    },
    Market,
}

#[derive(Serialize, Deserialize)]
pub(super) enum WireRequester<'a> {
    Anyone,
    Client(&'a str),
}

#[derive(Serialize, Deserialize)]
pub(super) enum WireChange {
    Price(u64),
    Quantity(u64),
    PriceAndQuantity(u64, u64),
}

/// The two of [`CancelReason`] that a mass cancel can have.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) enum WireMassCancelReason {
    MassCancel,
    Disconnected,
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireLevel {
    side: WireSide,
    price: u64,
    quantity: u64,
}

wire_enum!(WireSide stands for Side { Buy, Sell });
wire_enum!(WireTimeInForce stands for TimeInForce { Gtc, Ioc, Fok, PostOnly });
wire_enum!(WireSelfTradePrevention stands for SelfTradePrevention {
    None, CancelTaker, CancelMaker, CancelBoth,
});
wire_enum!(WireFeedSource stands for FeedSource { Binance, Simulated });
wire_enum!(WireMirrorScope stands for MirrorScope { Changes, Whole });

/// The levels of a mirror update, written without a copy.
pub(super) struct Levels<'a>(&'a [MirrorLevel]);

impl Serialize for Levels<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|level| WireLevel {
            side: level.side.into(),
            price: level.price.ticks(),
            quantity: level.quantity.lots(),
        }))
    }
}

impl<'a> WireCommand<'a, Levels<'a>> {
    pub(super) fn of(command: &'a Command) -> Self {
        match command {
            Command::Place(order) => Self::Place(WireOrder::of(order)),
            Command::Cancel(cancel) => Self::Cancel {
                order_id: cancel.order_id.as_str(),
                requester: WireRequester::of(&cancel.requester),
            },
            Command::Amend(amend) => Self::Amend {
                order_id: amend.order_id.as_str(),
                requester: WireRequester::of(&amend.requester),
                change: WireChange::of(amend.change),
            },
            Command::MassCancel(mass) => Self::MassCancel {
                client: mass.client.as_str(),
                side: mass.side.map(WireSide::from),
                reason: WireMassCancelReason::of(mass.reason),
            },
            Command::Tape(tape) => Self::Tape {
                source: tape.source.into(),
                symbol: &tape.symbol,
                first_trade_id: tape.first_trade_id,
                last_trade_id: tape.last_trade_id,
                side: tape.side.into(),
                quantity: tape.quantity.lots(),
            },
            Command::Mirror(update) => Self::Mirror {
                source: update.source.into(),
                snapshot_id: update.snapshot_id,
                update_id: update.update_id,
                scope: update.scope.into(),
                levels: Levels(&update.levels),
            },
            Command::WithdrawMirror => Self::WithdrawMirror,
            Command::Halt => Self::Halt,
            Command::Resume => Self::Resume,
            Command::CloseDay(day) => Self::CloseDay {
                day: day.days_since_epoch(),
            },
        }
    }
}

impl WireCommand<'_, Vec<WireLevel>> {
    pub(super) fn into_command(self) -> Result<Command, RecordError> {
        Ok(match self {
            Self::Place(order) => Command::Place(order.into_order()?),
            Self::Cancel {
                order_id: id,
                requester,
            } => Command::Cancel(Cancel {
                order_id: order_id(id)?,
                requester: requester.into_requester()?,
            }),
            Self::Amend {
                order_id: id,
                requester,
                change,
            } => Command::Amend(Amend {
                order_id: order_id(id)?,
                requester: requester.into_requester()?,
                change: change.into_change()?,
            }),
            Self::MassCancel {
                client: id,
                side,
                reason,
            } => Command::MassCancel(MassCancel {
                client: client(id)?,
                side: side.map(Side::from),
                reason: reason.into_reason(),
            }),
            Self::Tape {
                source,
                symbol,
                first_trade_id,
                last_trade_id,
                side,
                quantity: lots,
            } => Command::Tape(Tape {
                source: source.into(),
                symbol: symbol.to_owned(),
                first_trade_id,
                last_trade_id: at_least(last_trade_id, first_trade_id, "last_trade_id")?,
                side: side.into(),
                quantity: some_quantity(lots)?,
            }),
            Self::Mirror {
                source,
                snapshot_id,
                update_id,
                scope,
                levels,
            } => Command::Mirror(MirrorUpdate {
                source: source.into(),
                snapshot_id,
                update_id,
                scope: scope.into(),
                levels: levels
                    .into_iter()
                    .map(WireLevel::into_level)
                    .collect::<Result<_, _>>()?,
            }),
            Self::WithdrawMirror => Command::WithdrawMirror,
            Self::Halt => Command::Halt,
            Self::Resume => Command::Resume,
            Self::CloseDay { day } => Command::CloseDay(known_day(day)?),
        })
    }
}

impl<'a> WireOrder<'a> {
    fn of(order: &'a NewOrder) -> Self {
        Self {
            id: match &order.id {
                ChosenId::Client(id) => WireChosenId::Client(id.as_str()),
                ChosenId::Exchange(id) => WireChosenId::Exchange(id.as_str()),
            },
            client: order.client.as_str(),
            idempotency_key: order.idempotency_key.as_ref().map(IdempotencyKey::as_str),
            side: order.side.into(),
            kind: match order.kind {
                OrderKind::Limit {
                    price,
                    time_in_force,
                } => WireOrderKind::Limit {
                    price: price.ticks(),
                    time_in_force: time_in_force.into(),
                },
                OrderKind::Market => WireOrderKind::Market,
            },
            quantity: order.quantity.lots(),
            self_trade_prevention: order.self_trade_prevention.into(),
        }
    }

    fn into_order(self) -> Result<NewOrder, RecordError> {
        Ok(NewOrder {
            id: match self.id {
                WireChosenId::Client(id) => ChosenId::Client(order_id(id)?),
                WireChosenId::Exchange(id) => ChosenId::Exchange(order_id(id)?),
            },
            client: client(self.client)?,
            idempotency_key: self
                .idempotency_key
                .map(|key| IdempotencyKey::new(key).map_err(|source| id_error("key", source)))
                .transpose()?,
            side: self.side.into(),
            kind: match self.kind {
                WireOrderKind::Limit {
                    price: ticks,
                    time_in_force,
                } => OrderKind::Limit {
                    price: price(ticks)?,
                    time_in_force: time_in_force.into(),
                },
                WireOrderKind::Market => OrderKind::Market,
            },
            quantity: some_quantity(self.quantity)?,
            self_trade_prevention: self.self_trade_prevention.into(),
        })
    }
}

impl<'a> WireRequester<'a> {
    fn of(requester: &'a Requester) -> Self {
        match requester {
            Requester::Anyone => Self::Anyone,
            Requester::Client(client) => Self::Client(client.as_str()),
        }
    }

    fn into_requester(self) -> Result<Requester, RecordError> {
        Ok(match self {
            Self::Anyone => Requester::Anyone,
            Self::Client(id) => Requester::Client(client(id)?),
        })
    }
}

impl WireChange {
    const fn of(change: OrderChange) -> Self {
        match change {
            OrderChange::Price(price) => Self::Price(price.ticks()),
            OrderChange::Quantity(quantity) => Self::Quantity(quantity.lots()),
            OrderChange::PriceAndQuantity(price, quantity) => {
                Self::PriceAndQuantity(price.ticks(), quantity.lots())
            }
        }
    }

    fn into_change(self) -> Result<OrderChange, RecordError> {
        Ok(match self {
            Self::Price(ticks) => OrderChange::Price(price(ticks)?),
            Self::Quantity(lots) => OrderChange::Quantity(some_quantity(lots)?),
            Self::PriceAndQuantity(ticks, lots) => {
                OrderChange::PriceAndQuantity(price(ticks)?, some_quantity(lots)?)
            }
        })
    }
}

impl WireMassCancelReason {
    #[expect(clippy::panic, reason = "a bug stops its shard")]
    fn of(reason: CancelReason) -> Self {
        match reason {
            CancelReason::MassCancel => Self::MassCancel,
            CancelReason::Disconnected => Self::Disconnected,
            CancelReason::Requested
            | CancelReason::BookExhausted
            | CancelReason::IocRemainder
            | CancelReason::SelfTrade
            | CancelReason::Mirror => panic!("{reason:?} is no reason of a mass cancel"),
        }
    }

    const fn into_reason(self) -> CancelReason {
        match self {
            Self::MassCancel => CancelReason::MassCancel,
            Self::Disconnected => CancelReason::Disconnected,
        }
    }
}

impl WireLevel {
    fn into_level(self) -> Result<MirrorLevel, RecordError> {
        Ok(MirrorLevel {
            side: self.side.into(),
            price: price(self.price)?,
            quantity: quantity(self.quantity, "level quantity")?,
        })
    }
}

fn order_id(text: &str) -> Result<OrderId, RecordError> {
    OrderId::new(text).map_err(|source| id_error("order_id", source))
}

fn client(text: &str) -> Result<ClientId, RecordError> {
    ClientId::new(text).map_err(|source| id_error("client_id", source))
}

const fn id_error(field: &'static str, source: IdError) -> RecordError {
    RecordError::Id { field, source }
}

/// A day that stamps can fall in.
fn known_day(days: u64) -> Result<Day, RecordError> {
    let day = Day::from_days_since_epoch(days);
    if day > Day::MAX {
        return Err(RecordError::OutOfRange { field: "day" });
    }
    Ok(day)
}

const fn at_least(number: u64, least: u64, field: &'static str) -> Result<u64, RecordError> {
    if number < least {
        return Err(RecordError::OutOfRange { field });
    }
    Ok(number)
}
