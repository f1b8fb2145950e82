//! The first tables: whose database it is, how far it has come, and what was projected.
//!
//! Names stand here as text, not as the entities' columns: what a database was once made of must
//! not change when they do.

use sea_orm_migration::prelude::*;

use super::columns::{Columns, table};

/// The step.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0001_first_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns {
            backend: manager.get_database_backend(),
        };
        for table in [
            exchange(columns),
            partitions(columns),
            instruments(columns),
            orders(columns),
            order_events(columns),
            trades(columns),
        ] {
            manager.create_table(table).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            "trades",
            "order_events",
            "orders",
            "instruments",
            "partitions",
            "exchange",
        ] {
            manager
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

fn exchange(columns: Columns) -> TableCreateStatement {
    table(
        columns.backend,
        "exchange",
        [columns.id("exchange_id")],
        &["exchange_id"],
    )
}

fn partitions(columns: Columns) -> TableCreateStatement {
    table(
        columns.backend,
        "partitions",
        [
            columns.integer("partition_number"),
            columns.integer("position"),
        ],
        &["partition_number"],
    )
}

fn instruments(columns: Columns) -> TableCreateStatement {
    table(
        columns.backend,
        "instruments",
        [
            columns.id("symbol"),
            columns.integer("instrument_number"),
            columns.decimal("tick_size"),
            columns.decimal("lot_size"),
            columns.decimal("min_quantity"),
            columns.decimal("max_quantity"),
            columns.optional_decimal("min_notional"),
            columns.optional_decimal("price_band"),
            columns.optional_text("binance_symbol"),
            columns.text("status"),
            columns.integer("projected_sequence"),
        ],
        &["symbol"],
    )
}

fn orders(columns: Columns) -> TableCreateStatement {
    table(
        columns.backend,
        "orders",
        [
            columns.id("instrument"),
            columns.integer("sequence"),
            columns.integer("mirror_index"),
            columns.id("order_id"),
            columns.id("client_id"),
            columns.text("side"),
            columns.text("type"),
            columns.optional_text("time_in_force"),
            columns.optional_decimal("price"),
            columns.decimal("quantity"),
            columns.decimal("filled_quantity"),
            columns.decimal("remaining_quantity"),
            columns.decimal("filled_notional"),
            columns.optional_decimal("average_price"),
            columns.text("status"),
            columns.optional_text("reason"),
            columns.optional_text("idempotency_key"),
            columns.text("self_trade_prevention"),
            columns.integer("trade_count"),
            columns.integer("updated_sequence"),
            columns.time("created_at"),
            columns.time("updated_at"),
        ],
        &["instrument", "sequence", "mirror_index"],
    )
}

fn order_events(columns: Columns) -> TableCreateStatement {
    table(
        columns.backend,
        "order_events",
        [
            columns.id("instrument"),
            columns.integer("order_sequence"),
            columns.integer("mirror_index"),
            columns.integer("sequence"),
            columns.id("order_id"),
            columns.id("client_id"),
            columns.text("status"),
            columns.optional_text("reason"),
            columns.optional_decimal("price"),
            columns.decimal("quantity"),
            columns.decimal("filled_quantity"),
            columns.decimal("remaining_quantity"),
            columns.integer("trade_count"),
            columns.time("timestamp"),
        ],
        // An order's history is read together, so the order comes before the command.
        &["instrument", "order_sequence", "mirror_index", "sequence"],
    )
}

fn trades(columns: Columns) -> TableCreateStatement {
    table(
        columns.backend,
        "trades",
        [
            columns.id("trade_id"),
            columns.id("instrument"),
            columns.integer("trade_number"),
            columns.id("buy_order_id"),
            columns.id("sell_order_id"),
            columns.id("buy_client_id"),
            columns.id("sell_client_id"),
            columns.integer("buy_sequence"),
            columns.integer("buy_mirror_index"),
            columns.integer("sell_sequence"),
            columns.integer("sell_mirror_index"),
            columns.decimal("price"),
            columns.decimal("quantity"),
            columns.text("taker_side"),
            columns.integer("sequence"),
            columns.time("timestamp"),
        ],
        // In the order they come, which that of their ids as text is not.
        &["instrument", "trade_number"],
    )
}

fn indexes() -> [IndexCreateStatement; 5] {
    let index = |name: &'static str, table: &'static str, columns: &[&'static str]| {
        let mut index = Index::create();
        index.name(name).table(table);
        for column in columns {
            index.col(*column);
        }
        index
    };
    let by_id = index("trades_by_id", "trades", &["trade_id"])
        .unique()
        .take();
    [
        index("orders_by_id", "orders", &["order_id"]),
        // A client's orders, newest first when read backwards.
        index(
            "orders_by_client",
            "orders",
            &["client_id", "created_at", "instrument", "sequence"],
        ),
        by_id,
        // An order's trades, newest first when read backwards.
        index(
            "trades_by_buy_order",
            "trades",
            &[
                "instrument",
                "buy_sequence",
                "buy_mirror_index",
                "trade_number",
            ],
        ),
        index(
            "trades_by_sell_order",
            "trades",
            &[
                "instrument",
                "sell_sequence",
                "sell_mirror_index",
                "trade_number",
            ],
        ),
    ]
}
