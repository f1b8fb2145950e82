//! As much as can be traded at the highest price, in increments of as many units as there may be:
//! sums that no 128 bits hold, in the digits that people read.

use std::collections::BTreeMap;

use ethnum::I256;
use shardbook_engine::id::ClientId;
use shardbook_engine::price::TICKS_MAX;
use shardbook_engine::time::{Day, Minutes};
use shardbook_storage::entity::candle;
use shardbook_storage::entity::decimal::ExactDecimal;
use shardbook_storage::entity::settlement_line::Model as Line;
use shardbook_storage::settlement::Settlements;

use super::settlements::{NOW, assert_settlement, settlement_of, symbols};
use super::*;

/// A million units to each tick and lot, at the scales that are farthest apart.
fn exchange(seed: u64) -> Exchange {
    let finest = "0.000000000001000000";
    let instruments = [
        market::instrument(0, "LARGEST", "1.000000", "1.000000"),
        market::instrument(1, "FINEST", finest, finest),
        market::instrument(2, "COARSEST", "1000000", "1000000"),
    ];
    Exchange::of(instruments.map(Market::of_largest), seed)
}

/// What so many lots cost, as every trade is at 10^12 ticks.
fn cost(symbol: &str, lots: u128) -> String {
    assert_eq!(TICKS_MAX, 10_u64.pow(12));
    let zeros = |count| "0".repeat(if lots == 0 { 0 } else { count });
    match symbol {
        "LARGEST" => format!("{lots}{}.{}", zeros(12), "0".repeat(12)),
        "FINEST" => {
            let digits = format!("{lots:0>13}");
            let (whole, fraction) = digits.split_at(digits.len() - 12);
            format!("{whole}.{fraction}{}", "0".repeat(24))
        }
        "COARSEST" => format!("{lots}{}", zeros(24)),
        other => panic!("{other}"),
    }
}

/// The highest price as an average.
fn average(symbol: &str) -> &str {
    match symbol {
        "LARGEST" => "1000000000000.0000000000",
        "FINEST" => "1.0000000000000000000000",
        "COARSEST" => "1000000000000000000.0000",
        other => panic!("{other}"),
    }
}

fn lots_of<'a>(trades: impl Iterator<Item = &'a Trade>) -> u128 {
    trades.map(|trade| u128::from(trade.quantity.lots())).sum()
}

/// The digits of a day's lines, from the trades' lots alone.
fn assert_cash(market: &Market, day: Day, lines: &[Line]) {
    let symbol = market.instrument.symbol.as_str();
    for line in lines.iter().filter(|line| line.instrument == symbol) {
        let client = ClientId::new(&line.client_id).unwrap();
        let of_day = || {
            market
                .trades
                .iter()
                .filter(|one| one.timestamp.day() == day)
        };
        let bought = lots_of(of_day().filter(|trade| trade.buy.client == client));
        let sold = lots_of(of_day().filter(|trade| trade.sell.client == client));
        assert_eq!(line.bought_notional.to_string(), cost(symbol, bought));
        assert_eq!(line.sold_notional.to_string(), cost(symbol, sold));
        let sign = if bought > sold { "-" } else { "" };
        let net = format!("{sign}{}", cost(symbol, bought.abs_diff(sold)));
        assert_eq!(line.net_cash.to_string(), net);
    }
}

async fn assert_minutes(database: &Database, market: &Market) {
    let mut minutes = BTreeMap::<_, Vec<&Trade>>::new();
    for trade in &market.trades {
        let minute = trade.timestamp.floor(Minutes::ONE);
        minutes.entry(minute).or_default().push(trade);
    }
    let symbol = market.instrument.symbol.as_str();
    let rows = candle::Entity::find()
        .filter(candle::Column::Instrument.eq(symbol))
        .order_by_asc(candle::Column::OpenTime)
        .all(database.reader())
        .await
        .unwrap();
    assert_eq!(rows.len(), minutes.len());
    for (row, (_, trades)) in rows.iter().zip(minutes) {
        let lots = lots_of(trades.into_iter());
        assert_eq!(row.notional.to_string(), cost(symbol, lots));
        assert_eq!(row.vwap.to_string(), average(symbol));
    }
}

#[tokio::test]
async fn the_largest_trades_are_summed_up_and_settled_to_the_last_digit() {
    for (seed, place) in (81..).zip(Place::both()) {
        let mut exchange = exchange(seed);
        let database = place.open().await;
        while exchange.markets.iter().any(|one| one.closed.len() < 2) {
            exchange.happen(500);
            exchange.project(&database).await;
        }
        exchange.assert_projected(&database).await;
        let settlements = Settlements::new(database.clone(), EXCHANGE);
        let day = exchange.markets[0].closed[1];
        let settled = settlements.settle(day, &symbols(&exchange), NOW).await;
        let settlement = settlement_of(settled.unwrap());
        assert_settlement(&exchange, day, &settlement);
        for market in &exchange.markets {
            assert_cash(market, day, &settlement.lines);
            assert_minutes(&database, market).await;
        }
        let paid = settlement.lines.iter().map(|line| line.bought_notional);
        let most = paid.map(ExactDecimal::mantissa).max().unwrap();
        assert!(most > I256::from(u128::MAX), "128 bits hold all of it");
    }
}
