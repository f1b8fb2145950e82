//! What a shard was asked to do.

use serde::Serialize;

use shardbook_engine::command::{
    Amend, Cancel, Command, FeedSource, MassCancel, MirrorLevel, MirrorScope, MirrorUpdate,
    OrderChange, Requester, Tape,
};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::order::{ChosenId, NewOrder, OrderKind, SelfTradePrevention, TimeInForce};
use shardbook_engine::side::Side;

use crate::decimal::{DayText, DecimalText};
use crate::schema::word::{OrderType, Reason, Word};

#[derive(Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(super) enum CommandLine<'a> {
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
pub(super) struct PlaceLine<'a> {
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
    pub(super) fn of(command: &'a Command, instrument: &Instrument) -> Self {
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
