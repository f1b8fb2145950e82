//! The trader's notation.
//!
//! A ladder has a row for each price, the queues first in first from left to right:
//!
//! ```text
//! bids       |  price  | asks
//!            | 100.02  | bob#3:5 m1:2
//! #1:2 #2:9  | *99.00  |
//! ```
//!
//! `bob#3:5` is an order that bob calls 3, with 5 lots left; without a name it is nobody else's.
//! `m1:2` is the first order that the mirror added. A star stands at the side of a level of
//! which the mirror is short. Commands are those that [`command`] reads.
//!
//! Whatever is done is done to the real book, to a naive one, and to one that replays what the
//! real one told, and all three must agree.

use std::collections::BTreeMap;

use super::super::ClientNumber;
use super::model::{
    Cents, Command, Name, Picture, Placement, Resting, Told, best_first, lots, ticks,
};
use super::naive::Naive;
use super::real::{Journaled, Real, copy, picture};
use super::replayed::Replayed;
use crate::command::{MirrorLevel, MirrorScope};
use crate::order::{OrderKind, SelfTradePrevention, TimeInForce};
use crate::price::Price;
use crate::side::Side;

/// A real book and its two witnesses.
pub(super) struct Market {
    pub(super) real: Real,
    naive: Naive,
    replayed: Replayed,
    clients: Vec<String>,
    told: Vec<Told>,
}

impl Market {
    pub(super) fn new(strays_max: u32) -> Self {
        Self {
            real: Real::new(strays_max),
            naive: Naive::default(),
            replayed: Replayed::new(),
            clients: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Lets all three books do it, and compares what they tell and how they look.
    pub(super) fn apply(&mut self, command: &Command) -> Vec<Told> {
        let (told, journaled) = self.real.apply(command);
        assert_eq!(
            told,
            self.naive.apply(command),
            "real, then naive, after {command:?}"
        );
        let looks = self.real.picture();
        assert_eq!(
            looks,
            self.naive.picture(),
            "real, then naive, after {command:?}"
        );
        if journaled == Journaled::Yes {
            self.replayed.follow(command, &told);
        }
        assert_eq!(
            looks,
            self.replayed.picture(),
            "real, then replayed, after {command:?}"
        );
        told
    }

    /// A copy made of what the book shows looks the same.
    pub(super) fn assert_copy(&self) {
        let anyone = |_| Name::Order(0);
        let copy = copy(&self.real.book);
        assert_eq!(picture(&copy, anyone), picture(&self.real.book, anyone));
    }

    /// Does what the lines say, one command each.
    pub(super) fn when(mut self, lines: &str) -> Self {
        self.told.clear();
        for line in said(lines) {
            let command = self.command(line);
            let told = self.apply(&command);
            self.told.extend(told);
        }
        self.assert_copy();
        self
    }

    /// What the book told since the last `when`, a line each.
    pub(super) fn then(self, expected: &str) -> Self {
        let told: Vec<String> = self.told.iter().map(Told::to_string).collect();
        assert_eq!(
            told.join("\n"),
            said(expected).collect::<Vec<_>>().join("\n")
        );
        self
    }

    /// How the book looks now.
    pub(super) fn leaves(self, expected: &str) -> Self {
        let expected: Vec<String> = said(expected).skip(1).map(without_owners).collect();
        let looks: Vec<String> = rows(&self.real.picture());
        assert_eq!(looks.join("\n"), expected.join("\n"));
        self
    }

    fn client(&mut self, name: &str) -> ClientNumber {
        let index = self.clients.iter().position(|known| known == name);
        let index = index.unwrap_or_else(|| {
            self.clients.push(name.to_owned());
            self.clients.len() - 1
        });
        ClientNumber::new(u32::try_from(index).unwrap() + 1)
    }

    /// Reads one of:
    ///
    /// - `bob buys 4 @ 100.02 as #9`, `bob sells 4 at market as #9`, either followed by words of
    ///   `ioc fok post_only cancel_taker cancel_maker cancel_both`
    /// - `cancel #9`, `reduce #9 to 3`
    /// - `mirror bid 100.00 5 ask 100.02 0`, `mirror whole bid 100.00 5`, `withdraw mirror`
    fn command(&mut self, line: &str) -> Command {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["cancel", name] => Command::Cancel(order(name)),
            ["reduce", name, "to", quantity] => {
                Command::Reduce(order(name), lots(quantity.parse().unwrap()))
            }
            ["mirror", "whole", levels @ ..] => {
                Command::Mirror(MirrorScope::Whole, mirror_levels(levels))
            }
            ["mirror", levels @ ..] => Command::Mirror(MirrorScope::Changes, mirror_levels(levels)),
            ["withdraw", "mirror"] => Command::Withdraw,
            [client, verb, quantity, "@", limit, "as", name, how @ ..] => {
                let kind = OrderKind::Limit {
                    price: price(limit),
                    time_in_force: time_in_force(how),
                };
                self.placement([client, verb, quantity, name], kind, how)
            }
            [client, verb, quantity, "at", "market", "as", name, how @ ..] => {
                self.placement([client, verb, quantity, name], OrderKind::Market, how)
            }
            _ => panic!("no command: {line}"),
        }
    }

    fn placement(
        &mut self,
        [client, verb, quantity, name]: [&str; 4],
        kind: OrderKind,
        how: &[&str],
    ) -> Command {
        Command::Place(Placement {
            name: order(name),
            client: self.client(client),
            side: match verb {
                "buys" => Side::Buy,
                "sells" => Side::Sell,
                _ => panic!("neither buys nor sells: {verb}"),
            },
            quantity: lots(quantity.parse().unwrap()),
            kind,
            self_trade_prevention: self_trade_prevention(how),
        })
    }

    /// Lets an order of a ladder rest.
    fn rest(&mut self, side: Side, price: Price, cell: &str, targets: &mut Targets) {
        let (who, quantity) = cell
            .split_once(':')
            .expect("a cell is an order and its lots");
        let quantity: u64 = quantity.parse().unwrap();
        let command = if who.starts_with('m') && !who.contains('#') {
            let target = targets.entry(best_first(side, price)).or_insert(0);
            *target += quantity;
            let level = MirrorLevel {
                side,
                price,
                quantity: lots(*target),
            };
            Command::Mirror(MirrorScope::Changes, vec![level])
        } else {
            let (client, number) = who.split_once('#').expect("an order has a number");
            let client = if client.is_empty() { who } else { client };
            Command::Place(Placement {
                name: Name::Order(number.parse().unwrap()),
                client: self.client(client),
                side,
                quantity: lots(quantity),
                kind: OrderKind::Limit {
                    price,
                    time_in_force: TimeInForce::Gtc,
                },
                self_trade_prevention: SelfTradePrevention::None,
            })
        };
        self.apply(&command);
    }
}

type Targets = BTreeMap<(Side, i128), u64>;

/// A market that looks like a ladder, each of whose orders came in from top to bottom, the bids
/// of a row before its asks.
pub(super) fn given(ladder: &str) -> Market {
    let mut market = Market::new(u32::MAX);
    let mut targets = Targets::new();
    for row in said(ladder).skip(1) {
        let (bids, at, asks) = columns(row);
        for (side, cells) in [(Side::Buy, bids), (Side::Sell, asks)] {
            for cell in cells.split_whitespace() {
                market.rest(side, price(at), cell, &mut targets);
            }
        }
    }
    market.leaves(ladder)
}

/// The lines that say something.
fn said(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

fn columns(row: &str) -> (&str, &str, &str) {
    let mut columns = row.split('|').map(str::trim);
    let mut column = || columns.next().expect("a row has three columns");
    (column(), column(), column())
}

/// A ladder's row in the form that [`rows`] gives.
fn without_owners(row: &str) -> String {
    let (bids, at, asks) = columns(row);
    let plain = |cells: &str| {
        let cells = cells.split_whitespace().map(|cell| {
            let owned = cell.find('#').unwrap_or(0);
            cell[owned..].to_owned()
        });
        cells.collect::<Vec<_>>().join(" ")
    };
    format!("{} | {at} | {}", plain(bids), plain(asks))
}

/// The picture's ladder, the highest price first.
fn rows(picture: &Picture) -> Vec<String> {
    let mut ladder: BTreeMap<Price, [String; 4]> = BTreeMap::new();
    for row in &picture.rows {
        let cells = ladder.entry(row.price).or_default();
        let queue: Vec<String> = row.queue.iter().map(cell).collect();
        cells[column(row.side, 0, 3)] = queue.join(" ");
    }
    for (side, price) in &picture.short {
        "*".clone_into(&mut ladder.entry(*price).or_default()[column(*side, 1, 2)]);
    }
    let rows = ladder.iter().rev().map(|(price, cells)| {
        let [bids, short_bid, short_ask, asks] = cells;
        format!("{bids} | {short_bid}{}{short_ask} | {asks}", Cents(*price))
    });
    rows.collect()
}

fn column(side: Side, bids: usize, asks: usize) -> usize {
    match side {
        Side::Buy => bids,
        Side::Sell => asks,
    }
}

fn cell(order: &Resting) -> String {
    format!("{}:{}", order.name, order.remaining.lots())
}

fn order(word: &str) -> Name {
    let number = word
        .strip_prefix('#')
        .expect("an order's name begins with #");
    Name::Order(number.parse().unwrap())
}

fn price(word: &str) -> Price {
    let cents = word.trim_matches('*').replace('.', "");
    ticks(cents.parse().unwrap())
}

fn mirror_levels(words: &[&str]) -> Vec<MirrorLevel> {
    let levels = words.chunks(3).map(|level| {
        let [side, at, quantity] = level else {
            panic!("a level is a side, a price and a quantity");
        };
        MirrorLevel {
            side: match *side {
                "bid" => Side::Buy,
                "ask" => Side::Sell,
                _ => panic!("neither bid nor ask: {side}"),
            },
            price: price(at),
            quantity: lots(quantity.parse().unwrap()),
        }
    });
    levels.collect()
}

fn time_in_force(how: &[&str]) -> TimeInForce {
    let words = [
        ("ioc", TimeInForce::Ioc),
        ("fok", TimeInForce::Fok),
        ("post_only", TimeInForce::PostOnly),
    ];
    let meant = words.iter().find(|(word, _)| how.contains(word));
    meant.map_or(TimeInForce::Gtc, |(_, meaning)| *meaning)
}

fn self_trade_prevention(how: &[&str]) -> SelfTradePrevention {
    let words = [
        ("cancel_taker", SelfTradePrevention::CancelTaker),
        ("cancel_maker", SelfTradePrevention::CancelMaker),
        ("cancel_both", SelfTradePrevention::CancelBoth),
    ];
    let meant = words.iter().find(|(word, _)| how.contains(word));
    meant.map_or(SelfTradePrevention::None, |(_, meaning)| *meaning)
}
