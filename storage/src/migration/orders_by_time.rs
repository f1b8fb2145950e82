//! An index for the list of all orders, newest first: without it the newest of every instrument
//! would have to be looked for one by one.

use sea_orm_migration::prelude::*;

const NAME: &str = "orders_by_time";

/// The step.
pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0002_orders_by_time"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut index = Index::create();
        index.name(NAME).table("orders");
        for column in ["created_at", "instrument", "sequence", "mirror_index"] {
            index.col(column);
        }
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut index = Index::drop();
        manager
            .drop_index(index.name(NAME).table("orders").to_owned())
            .await
    }
}
