//! The market data that drives the exchange.

use std::str::FromStr;

use shardbook_feed::feed::FeedConfig;
use shardbook_feed::source::{BinanceSource, FileSource, Pace, SimulatedSource, Source};

use crate::settings::error::SettingsError;
use crate::settings::given::Given;

/// Most levels a side that Binance sends a snapshot of.
const LIQUIDITY_LEVELS_MAX: usize = 5_000;

pub(super) fn feed(given: &Given<'_>) -> Result<FeedConfig, SettingsError> {
    let pace = given
        .optional(
            "feed_speed",
            "max, or a number above 0 (1 is real time)",
            |text| Pace::from_str(text).ok(),
        )?
        .unwrap_or(Pace::Times(1.0));
    let seed = given.optional("feed_seed", "a whole number", |text| text.parse().ok())?;
    let url = |name, default: String, schemes: [&'static str; 2]| {
        let allowed = format!(
            "an address that begins with {} or {}",
            schemes[0], schemes[1]
        );
        let url = given.optional(name, &allowed, |text| {
            schemes
                .iter()
                .any(|scheme| text.len() > scheme.len() && text.starts_with(scheme))
                .then(|| text.trim_end_matches('/').to_owned())
        })?;
        Ok::<_, SettingsError>(url.unwrap_or(default))
    };
    let binance = BinanceSource::default();
    let binance = BinanceSource {
        websocket_url: url("binance_ws_url", binance.websocket_url, ["wss://", "ws://"])?,
        rest_url: url(
            "binance_rest_url",
            binance.rest_url,
            ["https://", "http://"],
        )?,
        ..BinanceSource::default()
    };
    let source = given.text("feed").unwrap_or("binance".to_owned());
    let source = match (source.as_str(), source.strip_prefix("file:")) {
        ("binance", _) => Source::Binance(binance),
        ("off", _) => Source::Off,
        ("simulated", _) => Source::Simulated(SimulatedSource {
            seed: seed.unwrap_or(SimulatedSource::default().seed),
            ..SimulatedSource::default()
        }),
        (_, Some(path)) if !path.is_empty() => Source::File(FileSource {
            path: path.into(),
            symbol: given.optional("feed_symbol", "a symbol of Binance's, as BTCUSDT", |text| {
                let is_symbol =
                    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
                is_symbol.then(|| text.to_ascii_uppercase())
            })?,
            pace,
        }),
        _ => {
            let allowed = "binance, simulated, file:PATH or off";
            return Err(SettingsError::wrong("feed", source, allowed));
        }
    };
    Ok(FeedConfig {
        source,
        liquidity_levels: given.number("feed_liquidity_levels", 1_000, 0..=LIQUIDITY_LEVELS_MAX)?,
    })
}
