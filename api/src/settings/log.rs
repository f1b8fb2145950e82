//! How the log looks, and what of it is written.

use std::num::NonZeroU32;

use crate::settings::error::SettingsError;
use crate::settings::given::Given;

/// Lines about orders and requests that the log gets in a second at most unless set otherwise:
/// two for each order of the load that the exchange is measured at (2,000 a second), and more than
/// as many again.
const LOG_LINES_PER_SECOND_DEFAULT: NonZeroU32 = NonZeroU32::new(10_000).unwrap();

/// What of the log is written unless set otherwise. Migrations are looked for at every start and
/// at every stop, and tell of it each time.
const LOG_FILTER: &str = "info,sea_orm_migration=warn";

/// How the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

pub(super) fn format(given: &Given<'_>) -> Result<LogFormat, SettingsError> {
    let format = given.optional("log_format", "human or json", |text| match text {
        "human" => Some(LogFormat::Human),
        "json" => Some(LogFormat::Json),
        _ => None,
    })?;
    Ok(format.unwrap_or_default())
}

pub(super) fn lines_per_second(given: &Given<'_>) -> Result<NonZeroU32, SettingsError> {
    let (default, most) = (LOG_LINES_PER_SECOND_DEFAULT, u32::MAX);
    let lines = given.number("log_lines_per_second", default.get(), 1..=most)?;
    Ok(NonZeroU32::new(lines).unwrap_or(default))
}

pub(super) fn filter(given: &Given<'_>) -> Result<String, SettingsError> {
    let allowed = "tracing's filter directives, as info or shardbook_api=debug,warn";
    let filter = given.optional("log_filter", allowed, |text| {
        text.parse::<tracing_subscriber::filter::Targets>()
            .ok()
            .map(|_| text.to_owned())
    })?;
    Ok(filter.unwrap_or(LOG_FILTER.to_owned()))
}
