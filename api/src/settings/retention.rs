//! How long things are kept, and how many of them.

use std::time::Duration;

use shardbook_storage::projector::Retention;

use crate::settings::error::SettingsError;
use crate::settings::given::Given;

/// Binance's trades are Binance's to keep: a week of them, and of the depth they met, is enough to
/// look back at.
const FEED_RETENTION_DAYS_DEFAULT: u64 = 7;

/// A century.
const RETENTION_DAYS_MAX: u64 = 36_500;

/// A book that follows Binance's, 2,000 orders deep, is a megabyte of JSON: an hour's makes little
/// of the database, and finds a book again that someone asks about the next day.
const SNAPSHOT_INTERVAL_SECONDS_DEFAULT: u64 = 60 * 60;

/// A month.
const SNAPSHOT_INTERVAL_SECONDS_MAX: u64 = 30 * 24 * 60 * 60;

/// Two days' worth at the default interval.
const SNAPSHOTS_KEPT_DEFAULT: u64 = 48;

/// One a minute for two years.
const SNAPSHOTS_KEPT_MAX: u64 = 1_000_000;

/// Snapshots of the books in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotSettings {
    /// How often one is taken of each instrument that anything happened on; `None` only when
    /// asked for.
    pub interval: Option<Duration>,
    /// How many of each instrument the database keeps, the newest, whoever asked for them.
    pub kept: u64,
}

/// A request that is repeated within its key's time is answered with its first trades again, so
/// they stay for as long at least.
pub(super) fn retention(given: &Given<'_>) -> Result<Retention, SettingsError> {
    let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
    let name = "database_retention_days";
    let least = idempotency_hours(given)?.div_ceil(24).max(1);
    let allowed = format!(
        "a whole number from {least} to {RETENTION_DAYS_MAX}, or nothing to keep everything; \
         idempotency_hours, in days, is the least"
    );
    let orders = given.optional(name, &allowed, |text| {
        let given = text.parse().ok();
        given.filter(|days| (least..=RETENTION_DAYS_MAX).contains(days))
    })?;
    let feed = given.number(
        "feed_retention_days",
        FEED_RETENTION_DAYS_DEFAULT,
        0..=RETENTION_DAYS_MAX,
    )?;
    Ok(Retention {
        orders: orders.map(days),
        feed: (feed > 0).then(|| days(feed)),
    })
}

pub(super) fn idempotency_hours(given: &Given<'_>) -> Result<u64, SettingsError> {
    given.number("idempotency_hours", 24, 1..=24 * 365)
}

pub(super) fn snapshots(given: &Given<'_>) -> Result<SnapshotSettings, SettingsError> {
    let seconds = given.number(
        "snapshot_interval_seconds",
        SNAPSHOT_INTERVAL_SECONDS_DEFAULT,
        0..=SNAPSHOT_INTERVAL_SECONDS_MAX,
    )?;
    Ok(SnapshotSettings {
        interval: (seconds > 0).then(|| Duration::from_secs(seconds)),
        kept: given.number(
            "snapshots_kept",
            SNAPSHOTS_KEPT_DEFAULT,
            1..=SNAPSHOTS_KEPT_MAX,
        )?,
    })
}
