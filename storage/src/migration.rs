//! How the tables came about, step by step; a step that has been released is never changed.

mod clearing;
mod columns;
mod first_tables;
mod orderbook_snapshots;
mod orders_by_time;
mod written_faster;

use sea_orm_migration::prelude::*;

/// All steps, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(first_tables::Migration),
            Box::new(orders_by_time::Migration),
            Box::new(orderbook_snapshots::Migration),
            Box::new(clearing::Migration),
            Box::new(written_faster::Migration),
        ]
    }
}
