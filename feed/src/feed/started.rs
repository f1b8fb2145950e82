//! Each kind of source, set going.

use std::collections::BTreeSet;
use std::sync::Arc;

use shardbook_engine::command::FeedSource;
use shardbook_engine::time::{Clock, SystemClock};
use tokio::sync::{mpsc, watch};

use crate::connection::{self, Event, STREAMS_MAX};
use crate::dispatcher::{More, RunningSource, SourceEnd};
use crate::inquiry::Inquiries;
use crate::player;
use crate::rest::RestClient;
use crate::simulated::SimulatedMarket;
use crate::source::{BinanceSource, FileSource, SIGNALS_MAX, Signal, SimulatedSource, Source};

use super::{ADDITIONS_MAX, FeedConfig, Mapped, StartError};

/// Sets a source going; `None` if there is none.
pub(super) fn start_source(
    config: &FeedConfig,
    mapped: &[Mapped],
) -> Result<Option<RunningSource>, StartError> {
    Ok(match &config.source {
        Source::Off => None,
        Source::Binance(binance) => Some(start_binance(binance, mapped, config.liquidity_levels)?),
        Source::File(file) => Some(start_file(file, mapped)),
        Source::Simulated(simulated) => Some(start_simulated(simulated, mapped)),
    })
}

fn start_binance(
    binance: &BinanceSource,
    mapped: &[Mapped],
    liquidity_levels: usize,
) -> Result<RunningSource, StartError> {
    let symbols: BTreeSet<&str> = mapped.iter().map(|(symbol, _)| symbol.as_str()).collect();
    let streams: Vec<String> = symbols
        .iter()
        .flat_map(|symbol| streams_of(symbol, liquidity_levels))
        .collect();
    if streams.len() > STREAMS_MAX {
        return Err(StartError::TooManyStreams {
            streams: streams.len(),
        });
    }
    let (sender, signals) = mpsc::channel(SIGNALS_MAX);
    let (streams, subscribed) = watch::channel(streams);
    let client = RestClient::new(&binance.rest_url)?;
    let inquiries = Inquiries::answer(client, sender.clone());
    let url = binance.websocket_url.clone();
    tokio::spawn(connection::run(url, subscribed, sender, signal));
    Ok(RunningSource {
        kind: FeedSource::Binance,
        end: SourceEnd::Never,
        signals,
        inquiries: Some(inquiries),
        more: More::Streams(streams),
        silence_max: Some(binance.silence_max),
    })
}

/// What the connection says, as a source says it.
fn signal(event: Event) -> Signal {
    match event {
        Event::Connected => Signal::Connected,
        Event::HandedOver => Signal::HandedOver,
        Event::Disconnected => Signal::Disconnected,
        Event::Heard { signal, .. } => signal,
    }
}

fn start_file(file: &FileSource, mapped: &[Mapped]) -> RunningSource {
    let (sender, signals) = mpsc::channel(SIGNALS_MAX);
    let only_symbol = match mapped {
        [(symbol, _)] => Some(symbol.clone()),
        _ => None,
    };
    tokio::spawn(player::play_file(file.clone(), only_symbol, sender));
    RunningSource {
        kind: FeedSource::Binance,
        end: SourceEnd::Finish,
        signals,
        inquiries: None,
        more: More::Nothing,
        silence_max: None,
    }
}

fn start_simulated(simulated: &SimulatedSource, mapped: &[Mapped]) -> RunningSource {
    let (sender, signals) = mpsc::channel(SIGNALS_MAX);
    let (markets, more_markets) = mpsc::channel(ADDITIONS_MAX);
    let first_id = SystemClock.now().microseconds();
    let seed = simulated.seed;
    let first = mapped
        .iter()
        .map(|(symbol, instrument)| {
            SimulatedMarket::new(Arc::clone(instrument), symbol.clone(), seed, first_id)
        })
        .collect();
    tokio::spawn(player::play_simulated(
        first,
        more_markets,
        simulated.step,
        SystemClock,
        sender,
    ));
    RunningSource {
        kind: FeedSource::Simulated,
        end: SourceEnd::Never,
        signals,
        inquiries: None,
        more: More::Markets {
            markets,
            seed,
            first_id,
        },
        silence_max: None,
    }
}

/// The streams of a symbol to subscribe to: trades, and depth if any of it is mirrored.
pub(crate) fn streams_of(symbol: &str, liquidity_levels: usize) -> Vec<String> {
    let symbol = symbol.to_ascii_lowercase();
    let mut streams = vec![format!("{symbol}@trade")];
    if liquidity_levels > 0 {
        streams.push(format!("{symbol}@depth@100ms"));
    }
    streams
}
