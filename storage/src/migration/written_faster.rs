//! Less to write for every order: no index that nobody asks, and room beside each order for the
//! row that will take its place.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

/// A trade's id is its instrument and its number, which are the table's key.
const UNUSED: &str = "trades_by_id";

/// The step.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0005_written_faster"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut index = Index::drop();
        manager
            .drop_index(index.name(UNUSED).table("trades").to_owned())
            .await?;
        // An order changes once or twice, often together with its neighbours. PostgreSQL leaves
        // every index of it alone if the new row finds room on the old one's page.
        fill_orders(manager, 50).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        fill_orders(manager, 90).await?;
        let mut index = Index::create();
        index.name(UNUSED).table("trades").col("trade_id").unique();
        manager.create_index(index).await
    }
}

/// How many percent of a page new orders may take.
async fn fill_orders(manager: &SchemaManager<'_>, percent: u32) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Postgres {
        let sql = format!("ALTER TABLE orders SET (fillfactor = {percent})");
        manager.get_connection().execute_unprepared(&sql).await?;
    }
    Ok(())
}
