//! `exchange`: whose projection the database holds; one row.

use sea_orm::entity::prelude::*;

/// The exchange.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "exchange")]
pub struct Model {
    /// The UUID of its control log's first record, as text.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub exchange_id: String,
}

/// None: the keys are the exchange's, not the database's.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
