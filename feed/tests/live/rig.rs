//! A feed between a stand-in for Binance and an exchange of real shards.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rust_decimal::Decimal;
use shardbook_engine::instrument::Instrument;
use shardbook_engine::side::Side;
use shardbook_feed::feed::{Feed, FeedConfig};
use shardbook_feed::source::{BinanceSource, Source};
use shardbook_feed::status::{Counts, FeedState, FeedStatus, SkipReason};
use tokio::sync::watch;

use crate::exchange::{Exchange, bitcoin};
use crate::stand_in::StandIn;
use crate::stand_in::market::{BookSide, Levels, Taker};

pub(crate) const SYMBOL: &str = "BTCUSDT";

/// Levels a side that are mirrored.
pub(crate) const LEVELS: usize = 5;

pub(crate) struct Rig {
    pub(crate) server: StandIn,
    pub(crate) exchange: Exchange,
    pub(crate) instrument: Arc<Instrument>,
    pub(crate) feed: Feed,
    pub(crate) status: watch::Receiver<FeedStatus>,
}

pub(crate) fn config(server: &StandIn) -> FeedConfig {
    FeedConfig {
        source: Source::Binance(BinanceSource {
            websocket_url: server.websocket_url.clone(),
            rest_url: server.rest_url.clone(),
            silence_max: Duration::from_secs(30),
        }),
        liquidity_levels: LEVELS,
    }
}

impl Rig {
    /// A feed that is subscribed, has seen a first trade and mirrors a first book.
    pub(crate) async fn live() -> Self {
        let server = StandIn::start(&[SYMBOL]).await;
        let exchange = Exchange::new(&[bitcoin()]);
        let mut rig = Self::over(server, exchange).await;
        rig.server.market(SYMBOL, |market| {
            for (bid, ask) in [
                ("99.99", "100.01"),
                ("99.98", "100.02"),
                ("99.00", "101.00"),
            ] {
                market.set(BookSide::Bids, bid, "1.5");
                market.set(BookSide::Asks, ask, "2.5");
            }
        });
        rig.sold("0.00001");
        rig.quiet().await;
        rig
    }

    /// A feed that is subscribed.
    pub(crate) async fn over(server: StandIn, exchange: Exchange) -> Self {
        let instrument = bitcoin();
        let feed = Feed::start(config(&server), vec![bitcoin()], exchange.clone())
            .await
            .unwrap();
        let status = feed.status();
        let mut rig = Self {
            server,
            exchange,
            instrument,
            feed,
            status,
        };
        rig.subscribed().await;
        rig
    }

    pub(crate) fn bought(&self, quantity: &str) -> u64 {
        self.server.trade(SYMBOL, Taker::Bought, quantity)
    }

    pub(crate) fn sold(&self, quantity: &str) -> u64 {
        self.server.trade(SYMBOL, Taker::Sold, quantity)
    }

    /// Sets a level and publishes the change.
    pub(crate) fn depth(&self, side: BookSide, price: &str, quantity: &str) {
        self.server
            .market(SYMBOL, |market| market.set(side, price, quantity));
        self.server.publish_depth(SYMBOL);
    }

    pub(crate) fn counts(&self) -> Counts {
        self.status.borrow().counts.clone()
    }

    /// Lets everyone get on until this holds; while it does not, time moves on in small steps.
    pub(crate) async fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        for _ in 0..1_500 {
            for _ in 0..40 {
                if holds(self) {
                    return;
                }
                tokio::task::yield_now().await;
            }
            skip(Duration::from_millis(50)).await;
        }
        let requests = self.server.state().requests.clone();
        panic!(
            "it does not come to this: {what}; {:?}, asked {requests:?}, {} connections",
            self.status.borrow(),
            self.server.connections()
        );
    }

    pub(crate) async fn subscribed(&mut self) {
        self.until("a subscribed connection", |rig| {
            rig.server.is_subscribed("btcusdt@trade")
                && rig.server.is_subscribed("btcusdt@depth@100ms")
        })
        .await;
    }

    pub(crate) async fn state(&mut self, state: FeedState) {
        self.until(state.as_str(), |rig| rig.status.borrow().state == state)
            .await;
    }

    /// Lets everything that happened come through: ends with a trade and with a diff of its own,
    /// for what was lost before shows only with what comes after.
    pub(crate) async fn quiet(&mut self) {
        self.server.state().muted = false;
        self.subscribed().await;
        let mut last = 0;
        let mut tries = 0;
        self.until("the last trade is settled", |rig| {
            // One may be lost with its connection, so trading goes on.
            if tries % 200 == 0 {
                last = rig.bought("0.00001");
            }
            tries += 1;
            rig.exchange.tape(&rig.instrument).last_trade_id == last
        })
        .await;
        let mut quantity = 0;
        let mut tries = 0;
        self.until("the mirror equals the source", |rig| {
            // The feed asks for a snapshot when a diff comes, so diffs go on.
            if tries % 50 == 0 {
                quantity += 1;
                rig.depth(
                    BookSide::Bids,
                    "99.50",
                    &format!("0.0{:03}", quantity % 9 + 1),
                );
            }
            tries += 1;
            rig.mirror() == rig.expected_mirror() && rig.resting() == rig.expected_mirror()
        })
        .await;
        self.accounted();
    }

    /// The shard's targets, in ticks and lots.
    pub(crate) fn mirror(&self) -> [BTreeMap<u64, u64>; 2] {
        let books = self.exchange.books();
        let targets = books[&self.instrument.id].shard.book().mirror_targets();
        let mut mirror = [BTreeMap::new(), BTreeMap::new()];
        for level in targets {
            let side = usize::from(level.side == Side::Sell);
            mirror[side].insert(level.price.ticks(), level.quantity.lots());
        }
        mirror
    }

    /// What rests in the book; of clients too, if there are any.
    pub(crate) fn resting(&self) -> [BTreeMap<u64, u64>; 2] {
        let books = self.exchange.books();
        let book = books[&self.instrument.id].shard.book();
        [Side::Buy, Side::Sell].map(|side| {
            let levels = book.levels(side);
            levels
                .map(|level| {
                    let lots = u64::try_from(level.volume.lots()).unwrap();
                    (level.price.ticks(), lots)
                })
                .collect()
        })
    }

    /// The source's best levels that the instrument can show, by decimals' own arithmetic.
    pub(crate) fn expected_mirror(&self) -> [BTreeMap<u64, u64>; 2] {
        let shown = |levels: Vec<(&Decimal, &Decimal)>| -> BTreeMap<u64, u64> {
            levels
                .into_iter()
                .filter_map(|(price, quantity)| {
                    let ticks = *price * Decimal::from(100);
                    let lots = (*quantity * Decimal::from(100_000)).trunc();
                    (ticks.fract().is_zero() && !lots.is_zero())
                        .then(|| (u64::try_from(ticks).unwrap(), u64::try_from(lots).unwrap()))
                })
                .take(LEVELS)
                .collect()
        };
        let best = |levels: &Levels, worst_first: bool| -> BTreeMap<u64, u64> {
            if worst_first {
                shown(levels.iter().rev().collect())
            } else {
                shown(levels.iter().collect())
            }
        };
        self.server.market(SYMBOL, |market| {
            [best(&market.bids, true), best(&market.asks, false)]
        })
    }

    /// Every trade of the source came in exactly once, with its side and quantity, or is counted.
    pub(crate) fn accounted(&self) {
        let trades = self.server.market(SYMBOL, |market| market.trades.clone());
        let first = trades[0].id;
        let mut times = vec![0_u64; trades.len()];
        for tape in self.exchange.tapes(&self.instrument) {
            let from = usize::try_from(tape.first_trade_id - first).unwrap();
            let to = usize::try_from(tape.last_trade_id - first).unwrap();
            let mut quantity = Decimal::ZERO;
            for index in from..=to {
                times[index] += 1;
                quantity += trades[index].quantity;
                let side = match trades[index].taker {
                    Taker::Bought => Side::Buy,
                    Taker::Sold => Side::Sell,
                };
                assert_eq!(tape.side, side, "of {tape:?}");
            }
            let lots = (quantity * Decimal::from(100_000)).trunc();
            assert_eq!(Decimal::from(tape.quantity.lots()), lots, "of {tape:?}");
        }
        assert!(
            times.iter().all(|times| *times <= 1),
            "once each: {times:?}"
        );
        let absent: Vec<u64> = (first..)
            .zip(&times)
            .filter(|(_, times)| **times == 0)
            .map(|(id, _)| id)
            .collect();
        let counts = self.counts();
        let counted = counts.trades_missed
            + counts.skipped(SkipReason::QuantityBelowLot)
            + counts.skipped(SkipReason::IgnoredByExchange);
        let absent_count = u64::try_from(absent.len()).unwrap();
        // A level of less than a lot counts by the same reason, and more often.
        assert!(
            counted >= absent_count,
            "{absent:?} are neither in nor counted: {counts:?}"
        );
    }
}

/// Moves the clock on, and with it everyone who waits for it.
pub(crate) async fn skip(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
