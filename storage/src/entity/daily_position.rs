//! `daily_positions`: what each client bought and sold in each day.

use sea_orm::entity::prelude::*;

use super::decimal::ExactDecimal;

/// One client, one instrument, one day.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "daily_positions")]
pub struct Model {
    /// The UTC day, `2026-01-31`.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub day: String,
    /// The instrument's symbol.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub instrument: String,
    /// Who.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub client_id: String,
    /// How much it bought.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text")]
    pub bought_quantity: ExactDecimal,
    /// How much it sold.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text")]
    pub sold_quantity: ExactDecimal,
    /// What it paid.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text")]
    pub bought_notional: ExactDecimal,
    /// What it was paid.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text")]
    pub sold_notional: ExactDecimal,
    /// In how many trades it had a part.
    pub trade_count: i64,
}

/// None: the keys are the exchange's, not the database's.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
