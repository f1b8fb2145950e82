//! Which of a source's symbols go to which instrument.

use std::collections::BTreeSet;
use std::sync::Arc;

use shardbook_engine::instrument::Instrument;

use crate::recording::{self, RecordingError};
use crate::source::{FileSource, Source};

use super::StartError;

/// A source's name for an instrument, in upper case, and the instrument.
pub(crate) type Mapped = (String, Arc<Instrument>);

/// Binance's name for an instrument, in upper case.
pub(crate) fn binance_symbol(instrument: &Instrument) -> Option<String> {
    let symbol = instrument.binance_symbol.as_ref()?;
    Some(symbol.to_ascii_uppercase())
}

/// A simulated market's name for an instrument, in upper case.
pub(crate) fn simulated_symbol(instrument: &Instrument) -> String {
    binance_symbol(instrument).unwrap_or_else(|| instrument.symbol.as_str().to_ascii_uppercase())
}

/// Which of the source's symbols go to which instrument.
pub(super) async fn mapped(
    source: &Source,
    instruments: &[Arc<Instrument>],
) -> Result<Vec<Mapped>, StartError> {
    let by_binance_symbol = instruments
        .iter()
        .filter_map(|instrument| Some((binance_symbol(instrument)?, Arc::clone(instrument))));
    match source {
        Source::Off => Ok(Vec::new()),
        Source::Binance(_) => Ok(by_binance_symbol.collect()),
        Source::Simulated(_) => Ok(instruments
            .iter()
            .map(|instrument| (simulated_symbol(instrument), Arc::clone(instrument)))
            .collect()),
        Source::File(file) => {
            let all: Vec<Mapped> = by_binance_symbol.collect();
            let held = symbols_of(file).await?;
            if let Some(symbol) = held
                .iter()
                .find(|held| !all.iter().any(|(symbol, _)| symbol == *held))
            {
                let names: Vec<&str> = all.iter().map(|(symbol, _)| symbol.as_str()).collect();
                return Err(StartError::UnmappedSymbol {
                    path: file.path.clone(),
                    symbol: symbol.clone(),
                    mapped: names.join(", "),
                });
            }
            Ok(all
                .into_iter()
                .filter(|(symbol, _)| held.contains(symbol))
                .collect())
        }
    }
}

/// The symbols that a file holds.
async fn symbols_of(file: &FileSource) -> Result<BTreeSet<String>, StartError> {
    let FileSource { path, symbol, .. } = file.clone();
    let read = {
        let path = path.clone();
        tokio::task::spawn_blocking(move || recording::symbols(&path, symbol.as_deref())).await
    };
    Ok(read.unwrap_or_else(|broken| {
        Err(RecordingError::File {
            path,
            source: std::io::Error::other(broken),
        })
    })?)
}
