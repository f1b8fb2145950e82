//! The kinds of everything that a record can hold. The matches name all of them: who adds one is
//! told here to have the golden journal tell of it.

use std::collections::BTreeSet;

use shardbook_engine::access::Holder;
use shardbook_engine::command::{Command, FeedSource, MirrorScope, OrderChange, Requester};
use shardbook_engine::control::ControlRecord;
use shardbook_engine::event::{Event, Maker, Priority};
use shardbook_engine::order::{
    CancelReason, ChosenId, NewOrder, OrderKind, Rejection, SelfTradePrevention, TimeInForce,
};
use shardbook_engine::record::Record;
use shardbook_engine::side::Side;

/// How many there are in all; grows with the matches below.
pub(super) const COUNT: usize = 55;

pub(super) type Kinds = BTreeSet<&'static str>;

pub(super) fn of_record(record: &Record, kinds: &mut Kinds) {
    of_command(&record.command, kinds);
    for event in &record.events {
        of_event(event, kinds);
    }
}

fn of_command(command: &Command, kinds: &mut Kinds) {
    let mut note = |kind| {
        kinds.insert(kind);
    };
    match command {
        Command::Place(order) => of_order(order, kinds),
        Command::Cancel(cancel) => {
            note("cancel");
            note(requester(&cancel.requester));
        }
        Command::Amend(amend) => {
            note(requester(&amend.requester));
            note(match amend.change {
                OrderChange::Price(_) => "amend price",
                OrderChange::Quantity(_) => "amend quantity",
                OrderChange::PriceAndQuantity(..) => "amend both",
            });
        }
        Command::MassCancel(cancel) => note(match cancel.side {
            None => "mass cancel",
            Some(Side::Buy) => "mass cancel of bids",
            Some(Side::Sell) => "mass cancel of asks",
        }),
        Command::Tape(tape) => {
            note(match tape.source {
                FeedSource::Binance => "tape",
                FeedSource::Simulated => "simulated tape",
            });
            note(if tape.first_trade_id == tape.last_trade_id {
                "tape of one"
            } else {
                "tape of several"
            });
        }
        Command::Mirror(update) => {
            note(match update.source {
                FeedSource::Binance => "mirror",
                FeedSource::Simulated => "simulated mirror",
            });
            note(match update.scope {
                MirrorScope::Changes => "changed levels",
                MirrorScope::Whole => "whole mirror",
            });
        }
        Command::WithdrawMirror => note("withdraw"),
        Command::Halt => note("halt"),
        Command::Resume => note("resume"),
        Command::CloseDay(_) => note("day closed"),
    }
}

fn of_order(order: &NewOrder, kinds: &mut Kinds) {
    kinds.insert(match order.id {
        ChosenId::Client(_) => "id of the client",
        ChosenId::Exchange(_) => "id of the exchange",
    });
    kinds.insert(if order.idempotency_key.is_some() {
        "key"
    } else {
        "no key"
    });
    kinds.insert(match order.side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    });
    kinds.insert(match order.kind {
        OrderKind::Limit { time_in_force, .. } => match time_in_force {
            TimeInForce::Gtc => "gtc",
            TimeInForce::Ioc => "ioc",
            TimeInForce::Fok => "fok",
            TimeInForce::PostOnly => "post only",
        },
        OrderKind::Market => "market",
    });
    kinds.insert(match order.self_trade_prevention {
        SelfTradePrevention::None => "self-trades",
        SelfTradePrevention::CancelTaker => "cancel taker",
        SelfTradePrevention::CancelMaker => "cancel maker",
        SelfTradePrevention::CancelBoth => "cancel both",
    });
}

fn of_event(event: &Event, kinds: &mut Kinds) {
    kinds.insert(match event {
        Event::Rejected(rejection) => match rejection {
            Rejection::InstrumentHalted => "halted",
            Rejection::TooManyOpenOrders => "too many open",
            Rejection::PriceOutsideBand => "outside band",
            Rejection::PostOnlyWouldCross => "would cross",
            Rejection::FokNotFillable => "not fillable",
            Rejection::NoLiquidity => "no liquidity",
        },
        Event::Traded { maker, .. } => match maker {
            Maker::Client(_) => "trade",
            Maker::Mirror(_) => "trade with the mirror",
        },
        Event::Cancelled { reason, .. } => match reason {
            CancelReason::Requested => "requested",
            CancelReason::BookExhausted => "book exhausted",
            CancelReason::IocRemainder => "ioc remainder",
            CancelReason::SelfTrade => "self-trade",
            CancelReason::MassCancel => "with all others",
            CancelReason::Disconnected => "disconnected",
            CancelReason::Mirror => "left the mirror",
        },
        Event::Amended { priority, .. } => match priority {
            Priority::Kept => "priority kept",
            Priority::Lost => "priority lost",
        },
        Event::MirrorAdded { .. } => "mirror added",
        Event::MirrorReduced { .. } => "mirror reduced",
    });
}

const fn requester(requester: &Requester) -> &'static str {
    match requester {
        Requester::Anyone => "by anyone",
        Requester::Client(_) => "by its client",
    }
}

/// How many there are of the control log's.
pub(super) const CONTROL_COUNT: usize = 7;

pub(super) const fn of_control(record: &ControlRecord) -> &'static str {
    match record {
        ControlRecord::ExchangeCreated { .. } => "exchange",
        ControlRecord::InstrumentListed { .. } => "instrument",
        ControlRecord::KeyCreated(key) => match key.holder {
            Holder::Reader(_) => "reader",
            Holder::Trader(_) => "trader",
            Holder::Admin(Some(_)) => "administrator with a client",
            Holder::Admin(None) => "administrator",
        },
        ControlRecord::KeyRevoked { .. } => "revoked key",
    }
}
