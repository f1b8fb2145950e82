//! Writes rows of any entity with few statements, on either database.
//!
//! PostgreSQL takes a whole column as one array, so that one short statement, prepared once,
//! carries any number of rows. SQLite knows no arrays: there rows are listed, in statements of
//! few fixed lengths, so that they too are prepared once each.

use std::collections::VecDeque;
use std::fmt::Write;

use sea_orm::sea_query::{ArrayType, ColumnType};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, IdenStatic,
    IntoActiveModel, Iterable, PrimaryKeyToColumn, Statement, Value,
};

use crate::entity::moment::Moment;

/// Rows in one statement on PostgreSQL: enough that a statement's own cost is lost among them,
/// and few enough that a batch is several, of which one is made while another is worked on.
const POSTGRES_ROWS_MAX: usize = 1_024;

/// Rows in one statement on SQLite, longest first. No entity has more than 32 columns, and
/// SQLite takes 32,766 values.
const SQLITE_ROWS: [usize; 3] = [256, 16, 1];

/// What becomes of a row whose key is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It is replaced.
    Replaced,
    /// These of its columns are; no other has changed. Whatever index has none of them is left
    /// alone.
    Changed(&'static [&'static str]),
    /// It can't be there: an error.
    Impossible,
}

/// Writes rows into a transaction. While the database works on one statement, the next one is
/// put together.
pub(crate) struct RowWriter<'a, C> {
    transaction: &'a C,
    waiting: Option<Statement>,
}

impl<'a, C: ConnectionTrait> RowWriter<'a, C> {
    pub(crate) const fn new(transaction: &'a C) -> Self {
        Self {
            transaction,
            waiting: None,
        }
    }

    /// Writes `rows`, no key twice among them; the last of them only with what comes after, or
    /// [`RowWriter::finish`].
    pub(crate) async fn write<E>(
        &mut self,
        rows: Vec<E::Model>,
        existing: Existing,
    ) -> Result<(), DbErr>
    where
        E: EntityTrait,
        E::Model: IntoActiveModel<E::ActiveModel>,
    {
        // An active model lets go of its values one by one; a model would copy each.
        let mut rows = rows
            .into_iter()
            .map(IntoActiveModel::into_active_model)
            .collect::<VecDeque<_>>();
        if self.transaction.get_database_backend() == DbBackend::Sqlite {
            return self.write_listed::<E>(rows, existing).await;
        }
        let sql = columns_sql::<E>(existing);
        while !rows.is_empty() {
            let later = rows.split_off(rows.len().min(POSTGRES_ROWS_MAX));
            let mut now = std::mem::replace(&mut rows, later);
            self.push(|backend| {
                let values = E::Column::iter().map(|column| array::<E>(column, &mut now));
                Statement::from_sql_and_values(backend, &sql, values)
            })
            .await?;
        }
        Ok(())
    }

    async fn write_listed<E: EntityTrait>(
        &mut self,
        mut rows: VecDeque<E::ActiveModel>,
        existing: Existing,
    ) -> Result<(), DbErr> {
        for length in SQLITE_ROWS {
            let sql = listed_sql::<E>(length, existing);
            while rows.len() >= length {
                self.push(|backend| {
                    let mut values = Vec::with_capacity(length * E::Column::iter().count());
                    for mut row in rows.drain(..length) {
                        values.extend(
                            E::Column::iter()
                                .filter_map(|column| row.take(column).into_value())
                                .map(sqlite_value),
                        );
                    }
                    Statement::from_sql_and_values(backend, &sql, values)
                })
                .await?;
            }
        }
        Ok(())
    }

    async fn push(&mut self, make: impl FnOnce(DbBackend) -> Statement) -> Result<(), DbErr> {
        let backend = self.transaction.get_database_backend();
        let Some(waiting) = self.waiting.take() else {
            self.waiting = Some(make(backend));
            return Ok(());
        };
        let (written, next) = tokio::join!(
            biased;
            self.transaction.execute_raw(waiting),
            async { make(backend) }
        );
        written?;
        self.waiting = Some(next);
        Ok(())
    }

    /// Writes what is still waiting.
    pub(crate) async fn finish(self) -> Result<(), DbErr> {
        if let Some(waiting) = self.waiting {
            self.transaction.execute_raw(waiting).await?;
        }
        Ok(())
    }
}

/// Times are RFC 3339 text on SQLite, all of one length so that text sorts as time does.
fn sqlite_value(value: Value) -> Value {
    if let Value::ChronoDateTimeUtc(time) = value {
        Value::String(time.map(|time| Moment::from(time).rfc3339()))
    } else {
        value
    }
}

/// What our columns can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Decimal,
    Time,
}

impl Kind {
    pub(super) fn of(column: impl ColumnTrait) -> Self {
        let definition = column.def();
        let column_type = definition.get_column_type();
        if matches!(column_type, ColumnType::BigInteger) {
            Self::Integer
        } else if matches!(column_type, ColumnType::Decimal(_)) {
            Self::Decimal
        } else if matches!(column_type, ColumnType::TimestampWithTimeZone) {
            Self::Time
        } else {
            Self::Text
        }
    }

    /// PostgreSQL's type of an array of them.
    pub(super) const fn array(self) -> &'static str {
        match self {
            Self::Text => "text[]",
            Self::Integer => "bigint[]",
            Self::Decimal => "numeric[]",
            Self::Time => "timestamptz[]",
        }
    }
}

pub(super) fn listed_sql<E: EntityTrait>(rows: usize, existing: Existing) -> String {
    let mut sql = insert_sql::<E>();
    let columns = E::Column::iter().count();
    for row in 0..rows {
        sql.push_str(if row == 0 { " VALUES (" } else { ", (" });
        for column in 0..columns {
            sql.push_str(if column == 0 { "?" } else { ", ?" });
        }
        sql.push(')');
    }
    conflict_sql::<E>(&mut sql, existing);
    sql
}

/// `INSERT … SELECT … FROM UNNEST(…)`, each column's rows one array.
fn columns_sql<E: EntityTrait>(existing: Existing) -> String {
    let mut sql = insert_sql::<E>();
    let mut arrays = String::new();
    let mut names = String::new();
    for (index, column) in E::Column::iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        let name = column.as_str();
        let selected = if column.def().is_null() {
            // Arrays go without nulls, and no text of ours is empty.
            format!("NULLIF(\"{name}\", '')")
        } else {
            format!("\"{name}\"")
        };
        let (array, cast) = match Kind::of(column) {
            Kind::Text => ("text[]", ""),
            Kind::Integer => ("bigint[]", ""),
            Kind::Decimal => ("text[]", "::numeric"),
            Kind::Time => ("timestamptz[]", ""),
        };
        let first = if index == 0 { " SELECT " } else { ", " };
        let _ = write!(sql, "{first}{selected}{cast}");
        let _ = write!(arrays, "{separator}${}::{array}", index + 1);
        let _ = write!(names, "{separator}\"{name}\"");
    }
    let _ = write!(sql, " FROM UNNEST({arrays}) AS rows ({names})");
    conflict_sql::<E>(&mut sql, existing);
    sql
}

pub(super) fn insert_sql<E: EntityTrait>() -> String {
    let mut sql = format!("INSERT INTO \"{}\"", E::default().as_str());
    for (index, column) in E::Column::iter().enumerate() {
        sql.push_str(if index == 0 { " (" } else { ", " });
        let _ = write!(sql, "\"{}\"", column.as_str());
    }
    sql.push(')');
    sql
}

pub(super) fn conflict_sql<E: EntityTrait>(sql: &mut String, existing: Existing) {
    let changed = match existing {
        Existing::Impossible => return,
        Existing::Replaced => None,
        Existing::Changed(columns) => Some(columns),
    };
    let keys: Vec<&'static str> = E::PrimaryKey::iter()
        .map(|key| key.into_column().as_str())
        .collect();
    for (index, key) in keys.iter().enumerate() {
        sql.push_str(if index == 0 { " ON CONFLICT (" } else { ", " });
        let _ = write!(sql, "\"{key}\"");
    }
    sql.push_str(") DO UPDATE");
    let others = E::Column::iter().filter(|column| match changed {
        Some(changed) => changed.contains(&column.as_str()),
        None => !keys.contains(&column.as_str()),
    });
    for (index, column) in others.enumerate() {
        let name = column.as_str();
        sql.push_str(if index == 0 { " SET " } else { ", " });
        let _ = write!(sql, "\"{name}\" = excluded.\"{name}\"");
    }
}

/// One column of all rows as one array without nulls.
fn array<E: EntityTrait>(column: E::Column, rows: &mut VecDeque<E::ActiveModel>) -> Value {
    let array_type = match Kind::of(column) {
        Kind::Text | Kind::Decimal => ArrayType::String,
        Kind::Integer => ArrayType::BigInt,
        Kind::Time => ArrayType::ChronoDateTimeUtc,
    };
    let values = rows
        .iter_mut()
        .filter_map(|row| row.take(column).into_value())
        .map(|value| {
            if matches!(value, Value::String(None)) {
                Value::String(Some(String::new()))
            } else {
                value
            }
        })
        .collect();
    Value::Array(array_type, Some(Box::new(values)))
}
