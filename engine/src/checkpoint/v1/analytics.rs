//! An instrument's candles and open days as bytes.

use serde::{Deserialize, Serialize};

use super::shard::Clients;
use super::{list, put_length};
use crate::candle::Candle;
use crate::id::{ClientId, Sequence};
use crate::market_data::{CandlesLetGo, KeptCandle, MarketData, MarketDataRestorer};
use crate::position::ClientPosition;
use crate::quantity::{Notional, Volume};
use crate::record::RecordError;
use crate::record::wire::{append_bare, price, take};
use crate::time::{Day, Timestamp};

#[derive(Serialize, Deserialize)]
struct WireCandle {
    open_time: u64,
    open: u64,
    high: u64,
    low: u64,
    close: u64,
    volume: u128,
    notional: u128,
    trade_count: u64,
    updated: u64,
}

/// The open time of the newest candle let go of, and the command of its last trade.
type WireLetGo = Option<(u64, u64)>;

#[derive(Serialize, Deserialize)]
struct WirePosition<'a> {
    client: &'a str,
    bought: u128,
    sold: u128,
    bought_notional: u128,
    sold_notional: u128,
    trade_count: u64,
}

pub(super) fn encode(market_data: &MarketData, bytes: &mut Vec<u8>) {
    let let_go: WireLetGo = market_data
        .candles_let_go()
        .map(|let_go| (let_go.open_time.microseconds(), let_go.updated.get()));
    append_bare(&let_go, bytes);
    let candles = market_data.kept_candles();
    put_length(candles.len(), bytes);
    for candle in candles {
        append_bare(&WireCandle::of(candle), bytes);
    }
    let days = market_data.open_days();
    put_length(days.len(), bytes);
    for (day, positions) in &days {
        append_bare(&day.days_since_epoch(), bytes);
        put_length(positions.len(), bytes);
        for (client, position) in positions {
            append_bare(&WirePosition::of(client, position), bytes);
        }
    }
}

pub(super) fn decode(
    bytes: &mut &[u8],
    market_data: &mut MarketDataRestorer,
    clients: &mut Clients,
) -> Result<(), RecordError> {
    let let_go: WireLetGo = take(bytes)?;
    let let_go = let_go.map(|(open_time, updated)| CandlesLetGo {
        open_time: Timestamp::from_microseconds(open_time),
        updated: Sequence::new(updated),
    });
    let candles = list(bytes, |bytes| take::<WireCandle>(bytes)?.into_candle())?;
    market_data.candles(candles, let_go);
    let days = list(bytes, |bytes| {
        let day = Day::from_days_since_epoch(take(bytes)?);
        let positions = list(bytes, |bytes| {
            let position: WirePosition<'_> = take(bytes)?;
            Ok((clients.get(position.client)?, position.into_position()))
        })?;
        Ok((day, positions))
    })?;
    market_data.open_days(days);
    Ok(())
}

impl WireCandle {
    fn of(kept: &KeptCandle) -> Self {
        let KeptCandle { candle, updated } = kept;
        Self {
            open_time: candle.open_time.microseconds(),
            open: candle.open.ticks(),
            high: candle.high.ticks(),
            low: candle.low.ticks(),
            close: candle.close.ticks(),
            volume: candle.volume.lots(),
            notional: candle.notional.ticks_times_lots(),
            trade_count: candle.trade_count,
            updated: updated.get(),
        }
    }

    fn into_candle(self) -> Result<KeptCandle, RecordError> {
        Ok(KeptCandle {
            candle: Candle {
                open_time: Timestamp::from_microseconds(self.open_time),
                open: price(self.open)?,
                high: price(self.high)?,
                low: price(self.low)?,
                close: price(self.close)?,
                volume: Volume::new(self.volume),
                notional: Notional::new(self.notional),
                trade_count: self.trade_count,
            },
            updated: Sequence::new(self.updated),
        })
    }
}

impl<'a> WirePosition<'a> {
    fn of(client: &'a ClientId, position: &ClientPosition) -> Self {
        Self {
            client: client.as_str(),
            bought: position.bought.lots(),
            sold: position.sold.lots(),
            bought_notional: position.bought_notional.ticks_times_lots(),
            sold_notional: position.sold_notional.ticks_times_lots(),
            trade_count: position.trade_count,
        }
    }

    const fn into_position(self) -> ClientPosition {
        ClientPosition {
            bought: Volume::new(self.bought),
            sold: Volume::new(self.sold),
            bought_notional: Notional::new(self.bought_notional),
            sold_notional: Notional::new(self.sold_notional),
            trade_count: self.trade_count,
        }
    }
}
