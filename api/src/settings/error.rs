//! What is wrong with the settings.

use std::fmt::Display;
use std::path::PathBuf;

use thiserror::Error;

/// Why the exchange can't be set up as asked.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// A value that the setting can't have.
    #[error("setting {setting}: {value:?} is not allowed; allowed is {allowed}")]
    Wrong {
        /// Which.
        setting: String,
        /// What was given.
        value: String,
        /// What could have been.
        allowed: String,
    },
    /// The settings file can't be read.
    #[error("settings file {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the machine said.
        source: std::io::Error,
    },
    /// The settings file is no TOML, or names a setting that does not exist.
    #[error("settings file {}: {source}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong, and where.
        source: Box<toml::de::Error>,
    },
}

impl SettingsError {
    pub(crate) fn wrong(setting: &str, value: impl Display, allowed: &str) -> Self {
        Self::Wrong {
            setting: setting.to_owned(),
            value: value.to_string(),
            allowed: allowed.to_owned(),
        }
    }
}
