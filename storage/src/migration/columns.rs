//! What columns and tables are on either database, for all steps alike.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// What columns are on either database.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    pub(super) backend: DbBackend,
}

impl Columns {
    pub(super) fn text(self, name: &'static str) -> ColumnDef {
        ColumnDef::new(name).text().not_null().take()
    }

    /// Text of ASCII that is compared byte by byte, as SQLite does anyway: PostgreSQL would
    /// compare by the rules of its language, which takes several times as long.
    pub(super) fn id(self, name: &'static str) -> ColumnDef {
        let mut column = self.text(name);
        if self.backend == DbBackend::Postgres {
            column.extra("COLLATE \"C\"");
        }
        column
    }

    pub(super) fn optional_text(self, name: &'static str) -> ColumnDef {
        ColumnDef::new(name).text().null().take()
    }

    pub(super) fn integer(self, name: &'static str) -> ColumnDef {
        ColumnDef::new(name).big_integer().not_null().take()
    }

    pub(super) fn decimal(self, name: &'static str) -> ColumnDef {
        self.exact(name).not_null().take()
    }

    pub(super) fn optional_decimal(self, name: &'static str) -> ColumnDef {
        self.exact(name).null().take()
    }

    /// `numeric` on PostgreSQL, without a precision so that it keeps every digit and the zeros
    /// at the end; text on SQLite, whose numbers are floats.
    fn exact(self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        if self.backend == DbBackend::Sqlite {
            column.text();
        } else {
            column.decimal();
        }
        column
    }

    /// With time zone; RFC 3339 text on SQLite.
    pub(super) fn time(self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        if self.backend == DbBackend::Sqlite {
            column.text();
        } else {
            column.timestamp_with_time_zone();
        }
        column.not_null().take()
    }
}

/// A table that stands in the order of its key, where a database can do that: SQLite would
/// otherwise keep every row twice, once in the order it came and once by its key.
///
/// PostgreSQL leaves a tenth of each page free, so that most rows can be changed without
/// touching an index.
pub(super) fn table(
    backend: DbBackend,
    name: &'static str,
    columns: impl IntoIterator<Item = ColumnDef>,
    key: &[&'static str],
) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(name);
    table.extra(if backend == DbBackend::Sqlite {
        "WITHOUT ROWID"
    } else {
        "WITH (fillfactor = 90)"
    });
    for column in columns {
        table.col(column);
    }
    let mut primary_key = Index::create();
    for column in key {
        primary_key.col(*column);
    }
    table.primary_key(&mut primary_key).take()
}
