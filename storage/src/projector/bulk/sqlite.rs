//! Values as SQLite's arguments, row after row.

use std::fmt::{Display, Write};
use std::sync::Arc;

use sea_orm::sqlx::Arguments;
use sea_orm::sqlx::sqlite::SqliteArguments;

use crate::entity::convert::{RowError, Values};
use crate::entity::decimal::ExactDecimal;
use crate::entity::moment::Moment;

/// Rows one after another. What comes again and again is made once and shared.
#[derive(Default)]
pub(super) struct Listed {
    arguments: SqliteArguments,
    refused: bool,
    scratch: String,
    words: Vec<(&'static str, Arc<str>)>,
    /// The last time, which is mostly the next one too.
    time: Option<(Moment, Arc<str>)>,
}

impl Listed {
    pub(super) fn reserve(&mut self, values: usize) {
        self.arguments.reserve(values, 0);
    }

    /// What was put in since the last time.
    pub(super) fn take(&mut self) -> Result<SqliteArguments, RowError> {
        let arguments = std::mem::take(&mut self.arguments);
        if std::mem::take(&mut self.refused) {
            return Err(RowError::OutOfRange { column: "a value" });
        }
        Ok(arguments)
    }

    fn shared(&mut self, text: Arc<str>) {
        self.refused |= self.arguments.add(text).is_err();
    }

    fn displayed(&mut self, value: impl Display) -> Arc<str> {
        self.scratch.clear();
        // Writing into memory does not fail.
        let _ = write!(self.scratch, "{value}");
        Arc::from(self.scratch.as_str())
    }
}

impl Values for Listed {
    fn text(&mut self, text: &str) {
        self.shared(Arc::from(text));
    }

    fn word(&mut self, word: &'static str) {
        let known = self.words.iter().find(|(known, _)| *known == word);
        let shared = if let Some((_, shared)) = known {
            Arc::clone(shared)
        } else {
            let shared = Arc::from(word);
            self.words.push((word, Arc::clone(&shared)));
            shared
        };
        self.shared(shared);
    }

    fn integer(&mut self, number: i64) {
        self.refused |= self.arguments.add(number).is_err();
    }

    fn decimal(&mut self, decimal: ExactDecimal) {
        let text = self.displayed(decimal);
        self.shared(text);
    }

    /// RFC 3339 text, all of one length so that text sorts as time does.
    fn time(&mut self, time: Moment) {
        let text = match &self.time {
            Some((last, text)) if *last == time => Arc::clone(text),
            Some(_) | None => {
                let text: Arc<str> = Arc::from(time.rfc3339());
                self.time = Some((time, Arc::clone(&text)));
                text
            }
        };
        self.shared(text);
    }

    fn null(&mut self) {
        self.refused |= self.arguments.add(None::<i64>).is_err();
    }
}
