//! `candles`: what was traded in each minute.

use sea_orm::entity::prelude::*;

use super::decimal::ExactDecimal;
use super::moment::Moment;

/// One minute of one instrument; minutes without trades have no row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "candles")]
pub struct Model {
    /// The instrument's symbol.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub instrument: String,
    /// The minute's beginning.
    #[sea_orm(
        primary_key,
        auto_increment = false,
        column_type = "TimestampWithTimeZone"
    )]
    pub open_time: Moment,
    /// The first trade's price.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text")]
    pub open: ExactDecimal,
    /// The highest price.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text")]
    pub high: ExactDecimal,
    /// The lowest price.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text")]
    pub low: ExactDecimal,
    /// The last trade's price.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text")]
    pub close: ExactDecimal,
    /// How much was traded.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text")]
    pub volume: ExactDecimal,
    /// Prices times quantities.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text")]
    pub notional: ExactDecimal,
    /// The average price, weighted by quantity.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text")]
    pub vwap: ExactDecimal,
    /// How many trades.
    pub trade_count: i64,
}

/// None: the keys are the exchange's, not the database's.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
