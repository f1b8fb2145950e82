//! Books as they stood.

use sea_orm_migration::prelude::*;

use super::columns::Columns;

/// The step.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0003_orderbook_snapshots"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns {
            backend: manager.get_database_backend(),
        };
        // Rows of megabytes: not in the order of their key, which would be a key beside each.
        let mut table = Table::create();
        table.table("orderbook_snapshots");
        for column in [
            columns.id("snapshot_id"),
            columns.id("instrument"),
            columns.integer("sequence"),
            columns.integer("order_count"),
            columns.time("created_at"),
            columns.text("bids"),
            columns.text("asks"),
            columns.text("orders"),
        ] {
            table.col(column);
        }
        table.primary_key(Index::create().col("snapshot_id"));
        manager.create_table(table).await?;
        // An instrument's newest, without reading what they hold.
        let by_instrument = Index::create()
            .name("orderbook_snapshots_by_instrument")
            .table("orderbook_snapshots")
            .col("instrument")
            .col("sequence")
            .col("snapshot_id")
            .take();
        manager.create_index(by_instrument).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("orderbook_snapshots").to_owned())
            .await
    }
}
