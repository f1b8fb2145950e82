//! What is summed up: candles, what clients bought and sold in a day, which days are over, and
//! their settlements. Days are text, `2026-01-31`, which sorts as they do.

use sea_orm_migration::prelude::*;

use super::columns::{Columns, table};

const NAMES: [&str; 5] = [
    "settlement_lines",
    "settlements",
    "closed_days",
    "daily_positions",
    "candles",
];

/// The step.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0004_clearing"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns {
            backend: manager.get_database_backend(),
        };
        for table in [
            candles(columns),
            daily_positions(columns),
            closed_days(columns),
            settlements(columns),
            settlement_lines(columns),
        ] {
            manager.create_table(table).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in NAMES {
            manager
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

fn candles(columns: Columns) -> TableCreateStatement {
    table(
        columns.backend,
        "candles",
        [
            columns.id("instrument"),
            columns.time("open_time"),
            columns.decimal("open"),
            columns.decimal("high"),
            columns.decimal("low"),
            columns.decimal("close"),
            columns.decimal("volume"),
            columns.decimal("notional"),
            columns.decimal("vwap"),
            columns.integer("trade_count"),
        ],
        &["instrument", "open_time"],
    )
}

fn daily_positions(columns: Columns) -> TableCreateStatement {
    table(
        columns.backend,
        "daily_positions",
        [
            columns.id("day"),
            columns.id("instrument"),
            columns.id("client_id"),
            columns.decimal("bought_quantity"),
            columns.decimal("sold_quantity"),
            columns.decimal("bought_notional"),
            columns.decimal("sold_notional"),
            columns.integer("trade_count"),
        ],
        &["day", "instrument", "client_id"],
    )
}

fn closed_days(columns: Columns) -> TableCreateStatement {
    table(
        columns.backend,
        "closed_days",
        [columns.id("day"), columns.id("instrument")],
        &["day", "instrument"],
    )
}

fn settlements(columns: Columns) -> TableCreateStatement {
    table(
        columns.backend,
        "settlements",
        [
            columns.id("date"),
            columns.time("settled_at"),
            columns.integer("line_count"),
        ],
        &["date"],
    )
}

fn settlement_lines(columns: Columns) -> TableCreateStatement {
    table(
        columns.backend,
        "settlement_lines",
        [
            columns.id("date"),
            columns.id("instrument"),
            columns.id("client_id"),
            columns.decimal("bought_quantity"),
            columns.decimal("sold_quantity"),
            columns.decimal("bought_notional"),
            columns.decimal("sold_notional"),
            columns.decimal("net_quantity"),
            columns.decimal("net_cash"),
            columns.integer("trade_count"),
        ],
        &["date", "instrument", "client_id"],
    )
}
