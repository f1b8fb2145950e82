//! `settlements`: the days that are settled.

use sea_orm::entity::prelude::*;

use super::moment::Moment;

/// One UTC day.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "settlements")]
pub struct Model {
    /// The day, `2026-01-31`.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub date: String,
    /// When.
    #[sea_orm(column_type = "TimestampWithTimeZone")]
    pub settled_at: Moment,
    /// How many lines it has.
    pub line_count: i64,
}

/// None: the keys are the exchange's, not the database's.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
