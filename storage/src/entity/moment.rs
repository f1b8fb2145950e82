//! Points in time: `timestamp with time zone` on PostgreSQL, RFC 3339 text on SQLite, always
//! with six digits after the seconds and a `Z`, so that text sorts as time does.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use sea_orm::sea_query::{self, ArrayType, ColumnType, Expr, Nullable, ValueTypeErr};
use sea_orm::{ColIdx, DbBackend, DbErr, QueryResult, TryFromU64, TryGetError, TryGetable, Value};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use shardbook_engine::time::Timestamp;

/// A [`Timestamp`] in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(DateTime<Utc>);

impl Moment {
    /// The moment of `timestamp`, or `None` beyond the year 262142.
    #[must_use]
    pub fn from_timestamp(timestamp: Timestamp) -> Option<Self> {
        let microseconds = i64::try_from(timestamp.microseconds()).ok()?;
        DateTime::from_timestamp_micros(microseconds).map(Self)
    }

    /// The timestamp, or `None` before 1970.
    #[must_use]
    pub fn timestamp(self) -> Option<Timestamp> {
        let microseconds = u64::try_from(self.0.timestamp_micros()).ok()?;
        Some(Timestamp::from_microseconds(microseconds))
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn microseconds(self) -> i64 {
        self.0.timestamp_micros()
    }

    /// The moment as a value to compare a column with.
    #[must_use]
    pub fn operand(self, backend: DbBackend) -> Expr {
        if backend == DbBackend::Sqlite {
            Expr::val(self.rfc3339())
        } else {
            Expr::val(self)
        }
    }

    /// The one form in which a time is text: `2026-01-31T12:00:00.000001Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        self.0.to_rfc3339_opts(SecondsFormat::Micros, true)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let time = DateTime::parse_from_rfc3339(&text).map_err(D::Error::custom)?;
        Ok(Self(time.to_utc()))
    }
}

impl From<DateTime<Utc>> for Moment {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time)
    }
}

impl From<Moment> for Value {
    fn from(moment: Moment) -> Self {
        Self::ChronoDateTimeUtc(Some(moment.0))
    }
}

impl TryGetable for Moment {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        // sqlx reads RFC 3339 text on SQLite and the type of its own on PostgreSQL.
        let time = DateTime::<Utc>::try_get_by(row, index)?;
        if time.timestamp_subsec_nanos() % 1_000 != 0 {
            let error = DbErr::Type(format!("{time} is finer than a microsecond"));
            return Err(TryGetError::DbErr(error));
        }
        Ok(Self(time))
    }
}

impl sea_query::ValueType for Moment {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        <DateTime<Utc> as sea_query::ValueType>::try_from(value).map(Self)
    }

    fn type_name() -> String {
        stringify!(Moment).to_owned()
    }

    fn array_type() -> ArrayType {
        ArrayType::ChronoDateTimeUtc
    }

    fn column_type() -> ColumnType {
        ColumnType::TimestampWithTimeZone
    }
}

/// No database of ours makes up a time as a key.
impl TryFromU64 for Moment {
    fn try_from_u64(_number: u64) -> Result<Self, DbErr> {
        Err(DbErr::ConvertFromU64("Moment"))
    }
}

impl Nullable for Moment {
    fn null() -> Value {
        Value::ChronoDateTimeUtc(None)
    }
}

#[cfg(test)]
mod tests {
    use shardbook_engine::time::Timestamp;

    use super::Moment;

    #[test]
    fn a_time_is_text_with_six_digits_and_a_z() {
        let text = |microseconds| {
            let moment = Moment::from_timestamp(Timestamp::from_microseconds(microseconds));
            moment.unwrap().rfc3339()
        };
        assert_eq!(text(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(text(1_769_860_800_000_001), "2026-01-31T12:00:00.000001Z");
    }
}
