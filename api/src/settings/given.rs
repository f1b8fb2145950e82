//! What was given for each setting, wherever it was given.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;

use serde::Deserialize;

use crate::settings::command_line::{FileSettings, ServeArguments};
use crate::settings::error::SettingsError;

/// The settings file, or what stands for it where there is none.
pub(super) type File = FileSettings;

impl File {
    /// Reads the settings file, if there is to be one.
    pub(super) fn read(path: Option<&Path>) -> Result<Self, SettingsError> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let text = std::fs::read_to_string(path).map_err(|source| SettingsError::File {
            path: path.to_owned(),
            source,
        })?;
        toml::from_str(&text).map_err(|source| SettingsError::Content {
            path: path.to_owned(),
            source: Box::new(source),
        })
    }
}

/// A value in the settings file, checked as if it stood on the command line.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Scalar {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    List(Vec<String>),
}

impl Scalar {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Integer(integer) => integer.to_string(),
            Self::Float(float) => float.to_string(),
            Self::Boolean(boolean) => boolean.to_string(),
            Self::List(list) => list.join(","),
        }
    }
}

/// The command line and environment, and the file behind them.
pub(super) struct Given<'a> {
    pub(super) flags: &'a ServeArguments,
    pub(super) file: &'a File,
}

impl Given<'_> {
    /// The text given, by whoever comes first.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let flag = self.flags.get(name).map(str::to_owned);
        flag.or_else(|| self.file.get(name).map(Scalar::text))
    }

    /// A value that may be left out.
    pub(super) fn optional<T>(
        &self,
        name: &str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, SettingsError> {
        self.text(name)
            .map(|text| parse(&text).ok_or_else(|| SettingsError::wrong(name, &text, allowed)))
            .transpose()
    }

    /// A value with a default.
    pub(super) fn parsed<T: FromStr>(
        &self,
        name: &str,
        allowed: &str,
        default: impl FnOnce() -> T,
    ) -> Result<T, SettingsError> {
        let given = self.optional(name, allowed, |text| text.parse().ok())?;
        Ok(given.unwrap_or_else(default))
    }

    /// A whole number within bounds, with a default.
    pub(super) fn number<T: FromStr + PartialOrd + Display>(
        &self,
        name: &str,
        default: T,
        range: RangeInclusive<T>,
    ) -> Result<T, SettingsError> {
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        let given = self.optional(name, &allowed, |text| {
            text.parse().ok().filter(|number| range.contains(number))
        })?;
        Ok(given.unwrap_or(default))
    }

    /// Values separated by commas; none if left out.
    pub(super) fn list<T>(
        &self,
        name: &str,
        allowed: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, SettingsError> {
        let text = self.text(name).unwrap_or_default();
        let items = text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty());
        items
            .map(|item| parse(item).ok_or_else(|| SettingsError::wrong(name, item, allowed)))
            .collect()
    }
}
