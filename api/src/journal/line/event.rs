//! One thing that came of a command.

use serde::Serialize;

use shardbook_engine::event::{Event, Priority};
use shardbook_engine::id::{OrderRef, TradeNumber};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::side::Side;

use crate::decimal::DecimalText;
use crate::schema::text::TradeIdText;
use crate::schema::word::{Reason, Word};

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum EventLine {
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
    pub(super) fn of(event: &Event, next_trade: &mut TradeNumber, instrument: &Instrument) -> Self {
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

/// An order, by the command that placed it and its place among those it placed.
#[derive(Serialize)]
pub(super) struct OrderLine {
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
