//! `partitions`: how far each partition's journal has been projected.

use sea_orm::entity::prelude::*;

/// One partition's journal.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "partitions")]
pub struct Model {
    /// The partition's number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub partition_number: i64,
    /// The last frame whose records stand in this database; 0 before the first.
    pub position: i64,
}

/// None: the keys are the exchange's, not the database's.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
