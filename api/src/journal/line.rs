//! A record as one line of JSON, in the API's words: decimals at the instrument's scale, orders
//! by the sequence that placed them.

use std::num::NonZeroU32;

use serde::Serialize;
use uuid::Uuid;

use shardbook_engine::access::{AccessKey, Role};
use shardbook_engine::command::{
    Amend, Cancel, Command, FeedSource, MassCancel, MirrorLevel, MirrorScope, MirrorUpdate,
    OrderChange, Requester, Tape,
};
use shardbook_engine::control::ControlRecord;
use shardbook_engine::event::{Event, Priority};
use shardbook_engine::id::{ClientId, OrderRef, TradeNumber};
use shardbook_engine::instrument::{Instrument, PriceBand};
use shardbook_engine::journal::Position;
use shardbook_engine::order::{ChosenId, NewOrder, OrderKind, SelfTradePrevention, TimeInForce};
use shardbook_engine::partition::PartitionId;
use shardbook_engine::record::Record;
use shardbook_engine::side::Side;

use crate::decimal::{DayText, DecimalText, TimestampText};
use crate::schema::text::TradeIdText;
use crate::schema::word::{OrderType, Reason, Word};

/// A record of the control log.
#[derive(Serialize)]
pub(super) struct ControlLine<'a> {
    log: &'static str,
    position: u64,
    timestamp: TimestampText,
    #[serde(flatten)]
    entry: ControlEntry<'a>,
}

#[derive(Serialize)]
#[serde(tag = "record", rename_all = "snake_case")]
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, made and written at once"
)]
enum ControlEntry<'a> {
    ExchangeCreated {
        exchange: Uuid,
    },
    InstrumentListed {
        instrument: &'a str,
        number: u32,
        partition: u32,
        tick_size: DecimalText,
        lot_size: DecimalText,
        min_quantity: DecimalText,
        max_quantity: DecimalText,
        min_notional: Option<DecimalText>,
        price_band: Option<DecimalText>,
        binance_symbol: Option<&'a str>,
    },
    KeyCreated {
        key_id: String,
        role: Word<Role>,
        client_id: Option<&'a str>,
        requests_per_second: Option<u32>,
    },
    KeyRevoked {
        key_id: String,
    },
}

impl<'a> ControlLine<'a> {
    pub(super) fn of(position: Position, record: &'a ControlRecord) -> Self {
        let (timestamp, entry) = match record {
            ControlRecord::ExchangeCreated {
                exchange,
                created_at,
            } => (
                *created_at,
                ControlEntry::ExchangeCreated {
                    exchange: *exchange,
                },
            ),
            ControlRecord::InstrumentListed {
                instrument,
                partition,
            } => (
                instrument.listed_at,
                ControlEntry::listed(instrument, *partition),
            ),
            ControlRecord::KeyCreated(key) => (key.created_at, ControlEntry::key(key)),
            ControlRecord::KeyRevoked { key, revoked_at } => (
                *revoked_at,
                ControlEntry::KeyRevoked {
                    key_id: key.to_string(),
                },
            ),
        };
        Self {
            log: "control",
            position: position.get(),
            timestamp: TimestampText(timestamp),
            entry,
        }
    }
}

impl<'a> ControlEntry<'a> {
    /// A key without its secret's hash: nobody who reads this needs it.
    fn key(key: &'a AccessKey) -> Self {
        Self::KeyCreated {
            key_id: key.id.to_string(),
            role: Word(key.holder.role()),
            client_id: key.holder.client().map(ClientId::as_str),
            requests_per_second: key.requests_per_second.map(NonZeroU32::get),
        }
    }

    fn listed(instrument: &'a Instrument, partition: u32) -> Self {
        let percent =
            |band: PriceBand| DecimalText::new(u128::from(band.basis_points()), PERCENT_SCALE);
        Self::InstrumentListed {
            instrument: instrument.symbol.as_str(),
            number: instrument.id.get(),
            partition,
            tick_size: DecimalText::increment(instrument.tick),
            lot_size: DecimalText::increment(instrument.lot),
            min_quantity: DecimalText::quantity(instrument.min_quantity, instrument),
            max_quantity: DecimalText::quantity(instrument.max_quantity, instrument),
            min_notional: instrument
                .min_notional
                .map(|notional| DecimalText::notional(notional, instrument)),
            price_band: instrument.price_band.map(percent),
            binance_symbol: instrument.binance_symbol.as_deref(),
        }
    }
}

/// A band is counted in hundredths of a percent.
const PERCENT_SCALE: u32 = 2;

/// A record of a partition.
#[derive(Serialize)]
pub(super) struct RecordLine<'a> {
    partition: u32,
    position: u64,
    instrument: &'a str,
    sequence: u64,
    timestamp: TimestampText,
    command: CommandLine<'a>,
    events: Vec<EventLine>,
}

impl<'a> RecordLine<'a> {
    pub(super) fn of(
        partition: PartitionId,
        position: Position,
        record: &'a Record,
        instrument: &'a Instrument,
    ) -> Self {
        let mut next_trade = record.first_trade;
        let events = record.events.iter();
        Self {
            partition: partition.get(),
            position: position.get(),
            instrument: instrument.symbol.as_str(),
            sequence: record.sequence.get(),
            timestamp: TimestampText(record.timestamp),
            command: CommandLine::of(&record.command, instrument),
            events: events
                .map(|event| EventLine::of(event, &mut next_trade, instrument))
                .collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum CommandLine<'a> {
    Place(PlaceLine<'a>),
    Cancel {
        order_id: &'a str,
        requested_by: Option<&'a str>,
    },
    Amend {
        order_id: &'a str,
        requested_by: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        price: Option<DecimalText>,
        #[serde(skip_serializing_if = "Option::is_none")]
        quantity: Option<DecimalText>,
    },
    CancelAll {
        client_id: &'a str,
        side: Option<Word<Side>>,
        reason: Word<Reason>,
    },
    Tape {
        source: &'static str,
        symbol: &'a str,
        first_trade_id: u64,
        last_trade_id: u64,
        side: Word<Side>,
        quantity: DecimalText,
    },
    Mirror {
        source: &'static str,
        snapshot_id: u64,
        update_id: u64,
        scope: &'static str,
        /// Price and quantity of each level, as in the streams.
        bids: Vec<(DecimalText, DecimalText)>,
        asks: Vec<(DecimalText, DecimalText)>,
    },
    WithdrawMirror,
    Halt,
    Resume,
    CloseDay {
        day: DayText,
    },
}

#[derive(Serialize)]
struct PlaceLine<'a> {
    order_id: &'a str,
    order_id_chosen_by: &'static str,
    client_id: &'a str,
    idempotency_key: Option<&'a str>,
    side: Word<Side>,
    r#type: Word<OrderType>,
    price: Option<DecimalText>,
    time_in_force: Option<Word<TimeInForce>>,
    quantity: DecimalText,
    self_trade_prevention: Word<SelfTradePrevention>,
}

impl<'a> CommandLine<'a> {
    fn of(command: &'a Command, instrument: &Instrument) -> Self {
        match command {
            Command::Place(order) => Self::Place(PlaceLine::of(order, instrument)),
            Command::Cancel(Cancel {
                order_id,
                requester,
            }) => Self::Cancel {
                order_id: order_id.as_str(),
                requested_by: client(requester),
            },
            Command::Amend(amend) => Self::amend(amend, instrument),
            Command::MassCancel(MassCancel {
                client,
                side,
                reason,
            }) => Self::CancelAll {
                client_id: client.as_str(),
                side: side.map(Word),
                reason: Word((*reason).into()),
            },
            Command::Tape(tape) => Self::tape(tape, instrument),
            Command::Mirror(update) => Self::mirror(update, instrument),
            Command::WithdrawMirror => Self::WithdrawMirror,
            Command::Halt => Self::Halt,
            Command::Resume => Self::Resume,
            Command::CloseDay(day) => Self::CloseDay { day: DayText(*day) },
        }
    }

    fn amend(amend: &'a Amend, instrument: &Instrument) -> Self {
        let (price, quantity) = match amend.change {
            OrderChange::Price(price) => (Some(price), None),
            OrderChange::Quantity(quantity) => (None, Some(quantity)),
            OrderChange::PriceAndQuantity(price, quantity) => (Some(price), Some(quantity)),
        };
        Self::Amend {
            order_id: amend.order_id.as_str(),
            requested_by: client(&amend.requester),
            price: price.map(|price| DecimalText::price(price, instrument)),
            quantity: quantity.map(|quantity| DecimalText::quantity(quantity, instrument)),
        }
    }

    fn tape(tape: &'a Tape, instrument: &Instrument) -> Self {
        Self::Tape {
            source: source(tape.source),
            symbol: &tape.symbol,
            first_trade_id: tape.first_trade_id,
            last_trade_id: tape.last_trade_id,
            side: Word(tape.side),
            quantity: DecimalText::quantity(tape.quantity, instrument),
        }
    }

    fn mirror(update: &MirrorUpdate, instrument: &Instrument) -> Self {
        let of_side = |side: Side| {
            let levels = update.levels.iter();
            let pair = |level: &MirrorLevel| {
                (
                    DecimalText::price(level.price, instrument),
                    DecimalText::quantity(level.quantity, instrument),
                )
            };
            levels
                .filter(|level| level.side == side)
                .map(pair)
                .collect()
        };
        Self::Mirror {
            source: source(update.source),
            snapshot_id: update.snapshot_id,
            update_id: update.update_id,
            scope: match update.scope {
                MirrorScope::Changes => "changes",
                MirrorScope::Whole => "whole",
            },
            bids: of_side(Side::Buy),
            asks: of_side(Side::Sell),
        }
    }
}

impl<'a> PlaceLine<'a> {
    fn of(order: &'a NewOrder, instrument: &Instrument) -> Self {
        let (r#type, time_in_force) = match order.kind {
            OrderKind::Limit { time_in_force, .. } => (OrderType::Limit, Some(time_in_force)),
            OrderKind::Market => (OrderType::Market, None),
        };
        let price = order.kind.price();
        Self {
            order_id: order.id.id().as_str(),
            order_id_chosen_by: match &order.id {
                ChosenId::Client(_) => "client",
                ChosenId::Exchange(_) => "exchange",
            },
            client_id: order.client.as_str(),
            idempotency_key: order.idempotency_key.as_ref().map(|key| key.as_str()),
            side: Word(order.side),
            r#type: Word(r#type),
            price: price.map(|price| DecimalText::price(price, instrument)),
            time_in_force: time_in_force.map(Word),
            quantity: DecimalText::quantity(order.quantity, instrument),
            self_trade_prevention: Word(order.self_trade_prevention),
        }
    }
}

/// An order, by the command that placed it and its place among those it placed.
#[derive(Serialize)]
struct OrderLine {
    sequence: u64,
    index: u32,
}

impl OrderLine {
    const fn of(order: OrderRef) -> Self {
        Self {
            sequence: order.sequence.get(),
            index: order.index,
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum EventLine {
    Rejected {
        reason: Word<Reason>,
    },
    Traded {
        trade_id: TradeIdText,
        maker: OrderLine,
        price: DecimalText,
        quantity: DecimalText,
    },
    Cancelled {
        order: OrderLine,
        reason: Word<Reason>,
    },
    Amended {
        order: OrderLine,
        price: DecimalText,
        quantity: DecimalText,
        priority: &'static str,
    },
    MirrorAdded {
        index: u32,
        side: Word<Side>,
        price: DecimalText,
        quantity: DecimalText,
    },
    MirrorReduced {
        order: OrderLine,
        quantity: DecimalText,
    },
}

impl EventLine {
    /// `next_trade` is the number of the next trade among the record's events.
    fn of(event: &Event, next_trade: &mut TradeNumber, instrument: &Instrument) -> Self {
        let price_text = |price| DecimalText::price(price, instrument);
        let quantity_text = |quantity| DecimalText::quantity(quantity, instrument);
        match event {
            Event::Rejected(rejection) => Self::Rejected {
                reason: Word((*rejection).into()),
            },
            Event::Traded {
                maker,
                price,
                quantity,
            } => {
                let number = *next_trade;
                *next_trade = number.next();
                Self::Traded {
                    trade_id: TradeIdText::new(instrument, number),
                    maker: OrderLine::of(maker.order()),
                    price: price_text(*price),
                    quantity: quantity_text(*quantity),
                }
            }
            Event::Cancelled { order, reason } => Self::Cancelled {
                order: OrderLine::of(*order),
                reason: Word((*reason).into()),
            },
            Event::Amended {
                order,
                price,
                quantity,
                priority,
            } => Self::Amended {
                order: OrderLine::of(*order),
                price: price_text(*price),
                quantity: quantity_text(*quantity),
                priority: match priority {
                    Priority::Kept => "kept",
                    Priority::Lost => "lost",
                },
            },
            Event::MirrorAdded {
                index,
                side,
                price,
                quantity,
            } => Self::MirrorAdded {
                index: *index,
                side: Word(*side),
                price: price_text(*price),
                quantity: quantity_text(*quantity),
            },
            Event::MirrorReduced { order, quantity } => Self::MirrorReduced {
                order: OrderLine::of(*order),
                quantity: quantity_text(*quantity),
            },
        }
    }
}

/// The client that asked with its own key; none where keys are off or an administrator asked.
fn client(requester: &Requester) -> Option<&str> {
    match requester {
        Requester::Anyone => None,
        Requester::Client(client) => Some(client.as_str()),
    }
}

const fn source(source: FeedSource) -> &'static str {
    match source {
        FeedSource::Binance => "binance",
        FeedSource::Simulated => "simulated",
    }
}
