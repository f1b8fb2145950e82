//! Which lines there are, and what stands in them.

use std::collections::HashMap;
use std::fmt::Write as _;

use tracing::{Level, event, info, warn};

use shardbook_engine::id::{OrderRef, Sequence, Symbol};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::market_data::{Change, ChangeKind};
use shardbook_engine::order::{Order, OrderState, Trade};
use shardbook_engine::side::Side;

use super::{FailedRequest, ORDERS, REQUESTS, TEXT_SHOWN_MAX};
use crate::decimal::DecimalText;
use crate::problem::Problem;
use crate::schema::text::TradeIdText;
use crate::schema::word::{Reason, Worded};

/// Most trades in one line: some five thousand characters. A larger match goes on in the next.
const TRADES_SHOWN_MAX: usize = 100;

/// What happened to an order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) what: What<'a>,
    pub(super) order: &'a Order,
    pub(super) sequence: Sequence,
}

/// What happened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum What<'a> {
    Accepted,
    Amended,
    Matched(&'a [&'a Trade]),
    Cancelled,
    Rejected,
}

impl Line<'_> {
    /// Whether the log's filter lets it through: the feed's orders are many, and say what
    /// Binance says.
    pub(super) fn is_enabled(&self) -> bool {
        if self.order.client.is_feed() {
            tracing::enabled!(target: ORDERS, Level::DEBUG)
        } else {
            tracing::enabled!(target: ORDERS, Level::INFO)
        }
    }
}

/// Gives `each` the lines of an instrument's changes, in the order things happened to each order.
pub(super) fn lines(changes: &[Change], mut each: impl FnMut(Line<'_>)) {
    for record in changes.chunk_by(|one, next| one.id.sequence == next.id.sequence) {
        let mut trades = HashMap::<OrderRef, Vec<&Trade>>::new();
        for change in record {
            match &change.kind {
                ChangeKind::Trade(trade) => {
                    for party in [&trade.buy, &trade.sell] {
                        trades.entry(party.placed).or_default().push(trade);
                    }
                }
                ChangeKind::Order(order) => {
                    let own = trades.get(&order.placed).map_or(&[][..], Vec::as_slice);
                    lines_of(order, change.id.sequence, own, &mut each);
                }
                ChangeKind::Delta(_) => {}
            }
        }
    }
}

/// A record's trades come before the orders it touched, and each order once, as it left it.
fn lines_of<'a>(
    order: &'a Order,
    sequence: Sequence,
    trades: &'a [&'a Trade],
    each: &mut impl FnMut(Line<'a>),
) {
    let mut tell = |what| {
        each(Line {
            what,
            order,
            sequence,
        });
    };
    let is_new = order.placed.sequence == sequence;
    let came_in = trades.iter().any(|trade| taker(trade) == order.placed);
    let is_over = match order.state {
        OrderState::Rejected(_) => return tell(What::Rejected),
        OrderState::Cancelled(_) => true,
        OrderState::Resting | OrderState::Filled => false,
    };
    if is_new {
        tell(What::Accepted);
    } else if came_in || (trades.is_empty() && !is_over) {
        tell(What::Amended);
    }
    for part in trades.chunks(TRADES_SHOWN_MAX) {
        tell(What::Matched(part));
    }
    if is_over {
        tell(What::Cancelled);
    }
}

const fn taker(trade: &Trade) -> OrderRef {
    match trade.taker_side {
        Side::Buy => trade.buy.placed,
        Side::Sell => trade.sell.placed,
    }
}

/// Every line about an order has the same fields, as far as there is something to tell.
pub(super) fn write_order(line: &Line<'_>, instrument: &Instrument) {
    let order = line.order;
    let message = match line.what {
        What::Accepted => "order accepted",
        What::Amended => "order amended",
        What::Matched(_) => "order matched",
        What::Cancelled => "order cancelled",
        What::Rejected => "order rejected",
    };
    let trades = match line.what {
        What::Matched(trades) => Some(text_of(trades, instrument)),
        What::Accepted | What::Amended | What::Cancelled | What::Rejected => None,
    };
    let reason = match line.what {
        What::Cancelled | What::Rejected => Reason::of(order.state).map(Worded::word),
        What::Accepted | What::Amended | What::Matched(_) => None,
    };
    let price = order.kind.price();
    let price = price.map(|price| DecimalText::price(price, instrument).to_string());
    let quantity = |quantity| DecimalText::quantity(quantity, instrument);
    macro_rules! tell {
        ($level:expr) => {
            event!(
                target: ORDERS,
                $level,
                instrument = instrument.symbol.as_str(),
                order_id = order.id.as_str(),
                client_id = order.client.as_str(),
                sequence = line.sequence.get(),
                side = order.side.word(),
                price = price.as_deref(),
                quantity = %quantity(order.quantity),
                filled_quantity = %quantity(order.filled_quantity),
                status = order.status().word(),
                reason,
                trades = trades.as_deref(),
                "{message}"
            )
        };
    }
    if order.client.is_feed() {
        tell!(Level::DEBUG);
    } else {
        tell!(Level::INFO);
    }
}

/// `BTC-USD-7 0.10000 @ 70150.00`, with commas between.
fn text_of(trades: &[&Trade], instrument: &Instrument) -> String {
    let mut text = String::new();
    for trade in trades {
        let between = if text.is_empty() { "" } else { ", " };
        let id = TradeIdText::new(instrument, trade.number);
        let quantity = DecimalText::quantity(trade.quantity, instrument);
        let price = DecimalText::price(trade.price, instrument);
        // A string takes whatever is written.
        let _ = write!(text, "{between}{id} {quantity} @ {price}");
    }
    text
}

pub(super) fn write_refused(call: &str, problem: &Problem) {
    let status = problem.status().as_u16();
    let code = problem.code().word();
    let instrument = problem.instrument().map(Symbol::as_str);
    let order_id = problem.about().and_then(|about| about.order_id());
    let client_id = problem.about().and_then(|about| about.client_id());
    let detail = shortened(problem.detail());
    if problem.status().is_server_error() {
        warn!(target: ORDERS, call, status, code, instrument, order_id, client_id, detail, "order call refused");
    } else {
        info!(target: ORDERS, call, status, code, instrument, order_id, client_id, detail, "order call refused");
    }
}

/// The query is left out: a ticket may stand in it.
pub(super) fn write_failed(request: &FailedRequest) {
    let FailedRequest {
        method,
        uri,
        status,
        code,
    } = request;
    let (method, path) = (method.as_str(), shortened(uri.path()));
    if *status >= 500 {
        warn!(target: REQUESTS, method, path, status, code, "request failed");
    } else {
        info!(target: REQUESTS, method, path, status, code, "request refused");
    }
}

fn shortened(text: &str) -> &str {
    match text.char_indices().nth(TEXT_SHOWN_MAX) {
        Some((end, _)) => text.get(..end).unwrap_or_default(),
        None => text,
    }
}
