//! `shardbook record`: the live messages of the instruments in the settings, into a file.

use std::path::PathBuf;

use shardbook_engine::time::SystemClock;
use shardbook_feed::record::{RecordConfig, RecordError, RecordTotals, record as record_messages};
use shardbook_feed::source::Source;
use tokio::sync::watch;

use crate::settings::Settings;

/// Records into `out` until `stop` comes, and says what it came to.
///
/// # Errors
/// When there is nothing to record, or the file can't be written.
pub async fn record(
    settings: &Settings,
    out: PathBuf,
    stop: impl Future<Output = ()>,
) -> Result<RecordTotals, RecordError> {
    let Source::Binance(binance) = &settings.feed.source else {
        return Err(RecordError::NoSymbols);
    };
    let config = RecordConfig {
        websocket_url: binance.websocket_url.clone(),
        rest_url: binance.rest_url.clone(),
        symbols: settings
            .instruments
            .iter()
            .filter_map(|instrument| instrument.binance_symbol.clone())
            .collect(),
        out,
    };
    let (progress, totals) = watch::channel(RecordTotals::default());
    record_messages(config, &SystemClock, &progress, stop).await?;
    Ok(*totals.borrow())
}
