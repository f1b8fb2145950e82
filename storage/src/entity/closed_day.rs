//! `closed_days`: which days are over on which instruments: all their trades stand in the tables.

use sea_orm::entity::prelude::*;

/// One instrument, one day.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "closed_days")]
pub struct Model {
    /// The UTC day, `2026-01-31`.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub day: String,
    /// The instrument's symbol.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub instrument: String,
}

/// None: the keys are the exchange's, not the database's.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
