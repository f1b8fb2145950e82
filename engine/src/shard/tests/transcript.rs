//! Stories of a shard as text: lines at the margin are commands, indented lines what came of
//! them. `UPDATE_EXPECT=1` writes the answers anew.
//!
//! ```text
//! alice buys 4 @ 100.02 as #1 post_only cancel_maker key k1
//! alice sells 4 at market           (an id of the exchange's)
//! alice amends #1 to 5 @ 100.03
//! bob cancels #1                    (anyone: whoever, keys are off)
//! all of alice [bids|asks] go
//! tape 7-9 sells 3
//! mirror [whole] 10/12 bid 99.00:3 ask 101.00:4      (snapshot/update)
//! withdraw, halt, resume, close day 0
//! 5s later
//! book
//! ```
//!
//! At the end the story's records are replayed through their bytes, and must give the same shard.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use expect_test::Expect;

use super::instrument;
use crate::answer::{FirstAnswer, Refusal};
use crate::command::{
    Amend, Cancel, Command, FeedSource, MassCancel, MirrorLevel, MirrorScope, MirrorUpdate,
    OrderChange, Requester, Stamped, Tape,
};
use crate::event::{Event, Maker, Priority};
use crate::id::{ClientId, IdempotencyKey, OrderId, OrderRef};
use crate::instrument::Instrument;
use crate::order::{CancelReason, ChosenId, NewOrder, OrderKind, SelfTradePrevention, TimeInForce};
use crate::price::Price;
use crate::quantity::Quantity;
use crate::record::{Record, begin_payload, decode_payload};
use crate::shard::{Decision, Replayer, RestingOrder, Shard, ShardLimits};
use crate::side::Side;
use crate::time::{Day, Timestamp};

pub(super) struct Story {
    instrument: Arc<Instrument>,
    limits: ShardLimits,
    shard: Shard,
    now: Timestamp,
    records: Vec<Record>,
    names: HashMap<OrderRef, String>,
    unnamed: u32,
}

pub(super) fn given(limits: ShardLimits) -> Story {
    given_on(instrument(), limits)
}

pub(super) fn given_on(instrument: Arc<Instrument>, limits: ShardLimits) -> Story {
    Story {
        shard: Shard::new(Arc::clone(&instrument), limits),
        instrument,
        limits,
        now: Timestamp::from_microseconds(1_000_000),
        records: Vec::new(),
        names: HashMap::new(),
        unnamed: 0,
    }
}

impl Story {
    /// Runs the commands at the margin and compares what came of them.
    pub(super) fn goes(mut self, story: &Expect) {
        let mut told = String::new();
        let commands = story.data().trim_start_matches('\n').trim_end().lines();
        let margin = commands
            .clone()
            .filter(|line| !line.trim().is_empty())
            .map(|line| line.len() - line.trim_start().len())
            .min()
            .unwrap_or(0);
        for line in commands {
            let line = line.get(margin..).unwrap_or("");
            if line.is_empty() {
                told.push('\n');
            } else if !line.starts_with(' ') {
                writeln!(told, "{line}").unwrap();
                for answer in self.run(line) {
                    writeln!(told, "    {answer}").unwrap();
                }
            }
        }
        story.assert_eq(&told);
        self.replays();
    }

    fn replays(&self) {
        let mut payload = Vec::new();
        begin_payload(&mut payload);
        for record in &self.records {
            record.parts().encode(&mut payload);
        }
        let mut replayer = Replayer::new(Shard::new(Arc::clone(&self.instrument), self.limits));
        for record in decode_payload(&payload).expect("what was encoded decodes") {
            replayer.apply(&record);
        }
        assert_eq!(replayer.finish().export(), self.shard.export());
    }

    fn run(&mut self, line: &str) -> Vec<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["book"] => return self.ladder(),
            [later, "later"] => {
                let seconds = later.trim_end_matches('s').parse().expect("seconds");
                let now = Duration::from_micros(self.now.microseconds());
                let now = (now + Duration::from_secs(seconds)).as_micros();
                self.now = Timestamp::from_microseconds(u64::try_from(now).unwrap());
                return Vec::new();
            }
            _ => {}
        }
        let command = self.parse(&words);
        let stamped = Stamped {
            timestamp: self.now,
            command,
        };
        let mut events = Vec::new();
        let decision = self.shard.apply(&stamped, &mut events);
        self.shard.book().assert_invariants();
        self.tell(stamped.command, decision, events)
    }

    fn tell(&mut self, command: Command, decision: Decision, events: Vec<Event>) -> Vec<String> {
        let (sequence, first_trade) = match decision {
            Decision::Recorded {
                sequence,
                first_trade,
            } => (sequence, first_trade),
            Decision::Replayed(answer) => return vec![replayed(&answer)],
            Decision::Refused(refusal) => return vec![refused(&refusal)],
            Decision::Unchanged => return vec!["unchanged".to_owned()],
        };
        if let Command::Place(order) = &command {
            let name = match &order.id {
                ChosenId::Client(id) | ChosenId::Exchange(id) => format!("#{id}"),
            };
            self.names.insert(OrderRef::single(sequence), name);
        }
        let mut answers = vec![format!("{}.", sequence.get())];
        let mut trade = first_trade;
        for event in &events {
            answers.push(self.event(event, sequence, &mut trade));
        }
        if let [number, only] = &answers[..] {
            answers = vec![format!("{number} {only}")];
        }
        self.records.push(Record {
            instrument: self.instrument.id,
            sequence,
            timestamp: self.now,
            first_trade,
            command,
            events,
        });
        answers
    }

    fn event(
        &mut self,
        event: &Event,
        sequence: crate::id::Sequence,
        trade: &mut crate::id::TradeNumber,
    ) -> String {
        match event {
            Event::Rejected(rejection) => format!("rejected: {rejection:?}"),
            Event::Traded {
                maker,
                price,
                quantity,
            } => {
                let number = trade.get();
                *trade = trade.next();
                let maker = match maker {
                    Maker::Client(order) => self.name(*order),
                    Maker::Mirror(row) => format!(
                        "{}, {} of {} traded before",
                        self.name(row.order),
                        row.filled_quantity.lots(),
                        row.quantity.lots()
                    ),
                };
                format!(
                    "trade {number}: {} @ {} from {maker}",
                    quantity.lots(),
                    money(*price)
                )
            }
            Event::Cancelled { order, reason } => {
                format!("{} cancelled: {reason:?}", self.name(*order))
            }
            Event::Amended {
                order,
                price,
                quantity,
                priority,
            } => {
                let place = match priority {
                    Priority::Kept => "keeps its place",
                    Priority::Lost => "comes in anew",
                };
                let order = self.name(*order);
                format!(
                    "{order} is {} @ {} and {place}",
                    quantity.lots(),
                    money(*price)
                )
            }
            Event::MirrorAdded {
                index,
                side,
                price,
                quantity,
            } => {
                let order = OrderRef {
                    sequence,
                    index: *index,
                };
                let side = match side {
                    Side::Buy => "bids",
                    Side::Sell => "asks",
                };
                let name = self.name(order);
                format!("{name} {side} {} @ {}", quantity.lots(), money(*price))
            }
            Event::MirrorReduced { order, quantity } => {
                format!("{} is {}", self.name(*order), quantity.lots())
            }
        }
    }

    fn name(&self, order: OrderRef) -> String {
        let tape_or_mirror = || match order.index {
            0 => "it".to_owned(),
            index => format!("m{}.{index}", order.sequence.get()),
        };
        self.names
            .get(&order)
            .cloned()
            .unwrap_or_else(tape_or_mirror)
    }

    fn ladder(&self) -> Vec<String> {
        let mut levels: Vec<(Side, Price, Vec<String>)> = Vec::new();
        for order in self.shard.export().resting {
            let (side, price, told) = match order {
                RestingOrder::Client(order) => (
                    order.side,
                    order.price,
                    format!("#{}:{}", order.id, order.remaining.lots()),
                ),
                RestingOrder::Mirror(resting) => {
                    let order = resting.order;
                    let left = order.quantity - order.filled_quantity;
                    let told = format!("{}:{}", self.name(order.order), left.lots());
                    (resting.side, resting.price, told)
                }
            };
            match levels.last_mut() {
                Some((of, at, queue)) if (*of, *at) == (side, price) => queue.push(told),
                Some(_) | None => levels.push((side, price, vec![told])),
            }
        }
        levels.sort_by_key(|(_, price, _)| std::cmp::Reverse(*price));
        let rows = levels.into_iter().map(|(side, price, queue)| {
            let queue = queue.join(" ");
            let (bids, asks) = match side {
                Side::Buy => (queue, String::new()),
                Side::Sell => (String::new(), queue),
            };
            format!("{bids:>12} | {:>6} | {asks}", money(price))
                .trim_end()
                .to_owned()
        });
        rows.collect()
    }

    fn parse(&mut self, words: &[&str]) -> Command {
        match words {
            ["withdraw"] => Command::WithdrawMirror,
            ["halt"] => Command::Halt,
            ["resume"] => Command::Resume,
            ["close", "day", day] => {
                Command::CloseDay(Day::from_days_since_epoch(day.parse().expect("a day")))
            }
            ["all", "of", client, rest @ ..] => Command::MassCancel(MassCancel {
                client: ClientId::new(client).unwrap(),
                side: match rest {
                    ["go"] => None,
                    ["bids", "go"] => Some(Side::Buy),
                    ["asks", "go"] => Some(Side::Sell),
                    other => panic!("no side: {other:?}"),
                },
                reason: CancelReason::MassCancel,
            }),
            ["tape", ids, side, quantity] => {
                let (first, last) = ids.split_once('-').unwrap_or((ids, ids));
                Command::Tape(Tape {
                    source: FeedSource::Binance,
                    symbol: "BTCUSDT".to_owned(),
                    first_trade_id: first.parse().unwrap(),
                    last_trade_id: last.parse().unwrap(),
                    side: parse_side(side),
                    quantity: lots(quantity),
                })
            }
            ["mirror", "whole", at, levels @ ..] => mirror(MirrorScope::Whole, at, levels),
            ["mirror", at, levels @ ..] => mirror(MirrorScope::Changes, at, levels),
            [client, "cancels", id] => Command::Cancel(Cancel {
                order_id: OrderId::new(id.trim_start_matches('#')).unwrap(),
                requester: requester(client),
            }),
            [client, "amends", id, "to", change @ ..] => Command::Amend(Amend {
                order_id: OrderId::new(id.trim_start_matches('#')).unwrap(),
                requester: requester(client),
                change: match change {
                    ["@", at] => OrderChange::Price(price(at)),
                    [quantity] => OrderChange::Quantity(lots(quantity)),
                    [quantity, "@", at] => OrderChange::PriceAndQuantity(price(at), lots(quantity)),
                    other => panic!("no change: {other:?}"),
                },
            }),
            [client, side, quantity, rest @ ..] => {
                Command::Place(self.new_order(client, side, quantity, rest))
            }
            other => panic!("no command: {other:?}"),
        }
    }

    fn new_order(&mut self, client: &str, side: &str, quantity: &str, rest: &[&str]) -> NewOrder {
        let (limit, mut rest) = match rest {
            ["@", at, rest @ ..] => (Some(price(at)), rest),
            ["at", "market", rest @ ..] => (None, rest),
            other => panic!("no price: {other:?}"),
        };
        let mut time_in_force = TimeInForce::Gtc;
        let mut self_trade_prevention = SelfTradePrevention::None;
        let mut idempotency_key = None;
        let mut id = None;
        while let [word, others @ ..] = rest {
            rest = others;
            match *word {
                "ioc" => time_in_force = TimeInForce::Ioc,
                "fok" => time_in_force = TimeInForce::Fok,
                "post_only" => time_in_force = TimeInForce::PostOnly,
                "cancel_taker" => self_trade_prevention = SelfTradePrevention::CancelTaker,
                "cancel_maker" => self_trade_prevention = SelfTradePrevention::CancelMaker,
                "cancel_both" => self_trade_prevention = SelfTradePrevention::CancelBoth,
                "as" => {
                    id = Some(OrderId::new(rest[0].trim_start_matches('#')).unwrap());
                    rest = &rest[1..];
                }
                "key" => {
                    idempotency_key = Some(IdempotencyKey::new(rest[0]).unwrap());
                    rest = &rest[1..];
                }
                other => panic!("no part of an order: {other}"),
            }
        }
        let id = id.map_or_else(
            || {
                self.unnamed += 1;
                ChosenId::Exchange(OrderId::new(&format!("x{}", self.unnamed)).unwrap())
            },
            ChosenId::Client,
        );
        NewOrder {
            id,
            client: ClientId::new(client).unwrap(),
            idempotency_key,
            side: parse_side(side),
            kind: limit.map_or(OrderKind::Market, |price| OrderKind::Limit {
                price,
                time_in_force,
            }),
            quantity: lots(quantity),
            self_trade_prevention,
        }
    }
}

fn replayed(answer: &FirstAnswer) -> String {
    let order = &answer.order;
    format!(
        "as before: #{} of {}, {:?}, {} filled in {} trades from {} on",
        order.id,
        order.placed.sequence.get(),
        order.state,
        order.filled_quantity.lots(),
        order.trade_count,
        answer.first_trade.get(),
    )
}

fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::AmendRejected(rejection) => format!("refused: {rejection:?}"),
        Refusal::DuplicateOrderId
        | Refusal::IdempotencyKeyReused
        | Refusal::OrderNotOpen
        | Refusal::InvalidOrder(_)
        | Refusal::DayNotOver
        | Refusal::FeedOrder => format!("refused: {refusal}"),
    }
}

fn mirror(scope: MirrorScope, at: &str, levels: &[&str]) -> Command {
    let (snapshot, update) = at.split_once('/').expect("snapshot/update");
    let levels = levels.chunks(2).map(|level| {
        let (at, quantity) = level[1].split_once(':').expect("price:quantity");
        MirrorLevel {
            side: match level[0] {
                "bid" => Side::Buy,
                "ask" => Side::Sell,
                other => panic!("no side: {other}"),
            },
            price: price(at),
            quantity: lots(quantity),
        }
    });
    Command::Mirror(MirrorUpdate {
        source: FeedSource::Binance,
        snapshot_id: snapshot.parse().unwrap(),
        update_id: update.parse().unwrap(),
        scope,
        levels: levels.collect(),
    })
}

fn requester(name: &str) -> Requester {
    match name {
        "anyone" => Requester::Anyone,
        client => Requester::Client(ClientId::new(client).unwrap()),
    }
}

fn parse_side(word: &str) -> Side {
    match word {
        "buys" => Side::Buy,
        "sells" => Side::Sell,
        other => panic!("no side: {other}"),
    }
}

fn lots(word: &str) -> Quantity {
    Quantity::new(word.parse().expect("lots")).expect("in range")
}

fn price(word: &str) -> Price {
    let (whole, cents) = word.split_once('.').expect("a price in cents");
    let ticks = format!("{whole}{cents}").parse().expect("a price in cents");
    Price::new(ticks).expect("in range")
}

fn money(price: Price) -> String {
    format!("{}.{:02}", price.ticks() / 100, price.ticks() % 100)
}
