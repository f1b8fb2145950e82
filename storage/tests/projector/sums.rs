//! Candles and positions in the database, against all trades added up one by one.

use std::collections::{BTreeMap, BTreeSet};

use shardbook_engine::candle::Candle;
use shardbook_engine::id::ClientId;
use shardbook_engine::position::ClientPosition;
use shardbook_engine::time::{Day, Minutes};
use shardbook_storage::entity::convert::{
    candle_of, candle_row, day_of, position_of, position_row,
};
use shardbook_storage::entity::{candle, closed_day, daily_position};

use super::*;

/// Each minute's candle from its trades alone.
fn candles(trades: &[Trade]) -> Vec<Candle> {
    let mut minutes: BTreeMap<Timestamp, Vec<&Trade>> = BTreeMap::new();
    for trade in trades {
        let minute = trade.timestamp.floor(Minutes::ONE);
        minutes.entry(minute).or_default().push(trade);
    }
    let candles = minutes.into_iter().map(|(open_time, trades)| {
        let prices = || trades.iter().map(|trade| trade.price);
        Candle {
            open_time,
            open: prices().next().unwrap(),
            high: prices().max().unwrap(),
            low: prices().min().unwrap(),
            close: prices().next_back().unwrap(),
            volume: trades
                .iter()
                .map(|trade| Volume::from(trade.quantity))
                .sum(),
            notional: trades
                .iter()
                .map(|trade| trade.price * trade.quantity)
                .sum(),
            trade_count: trades.len() as u64,
        }
    });
    candles.collect()
}

/// Each client's position in each day from its trades alone.
pub(crate) fn positions(trades: &[Trade]) -> BTreeMap<(Day, ClientId), ClientPosition> {
    let mut positions: BTreeMap<_, ClientPosition> = BTreeMap::new();
    for trade in trades {
        let day = trade.timestamp.day();
        for (party, side) in [(&trade.buy, Side::Buy), (&trade.sell, Side::Sell)] {
            let position = positions.entry((day, party.client.clone())).or_default();
            position.trade(side, trade.price, trade.quantity);
        }
        for client in BTreeSet::from([&trade.buy.client, &trade.sell.client]) {
            let position = positions.get_mut(&(day, client.clone()));
            position.unwrap().trade_count += 1;
        }
    }
    positions
}

pub(crate) async fn assert_candles(database: &Database, market: &Market) {
    let rows = candle::Entity::find()
        .filter(candle::Column::Instrument.eq(market.instrument.symbol.as_str()))
        .order_by_asc(candle::Column::OpenTime)
        .all(database.reader())
        .await
        .unwrap();
    let found = rows.iter().map(|row| candle_of(&market.instrument, row));
    let found: Vec<_> = found.map(Result::unwrap).collect();
    let expected = candles(&market.trades);
    assert_eq!(found, expected);
    for (row, candle) in rows.iter().zip(&expected) {
        assert_eq!(*row, candle_row(&market.instrument, candle).unwrap());
    }
}

pub(crate) async fn assert_days(database: &Database, market: &Market) {
    let rows = daily_position::Entity::find()
        .filter(daily_position::Column::Instrument.eq(market.instrument.symbol.as_str()))
        .all(database.reader())
        .await
        .unwrap();
    let found = rows.iter().map(|row| {
        let key = (
            day_of(&row.day).unwrap(),
            ClientId::new(&row.client_id).unwrap(),
        );
        let position = position_of(&market.instrument, row).unwrap();
        let again = position_row(&market.instrument, key.0, &key.1, &position);
        assert_eq!(*row, again.unwrap());
        (key, position)
    });
    let found: BTreeMap<_, _> = found.collect();
    assert_eq!(found, positions(&market.trades));
    let rows = closed_day::Entity::find()
        .filter(closed_day::Column::Instrument.eq(market.instrument.symbol.as_str()))
        .order_by_asc(closed_day::Column::Day)
        .all(database.reader())
        .await
        .unwrap();
    let closed = rows.iter().map(|row| day_of(&row.day).unwrap());
    assert_eq!(closed.collect::<Vec<_>>(), market.closed);
}
