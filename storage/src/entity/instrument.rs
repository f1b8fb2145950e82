//! `instruments`: what can be traded, and how far each one's history has been projected.

use sea_orm::entity::prelude::*;

use super::decimal::ExactDecimal;

/// One instrument.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "instruments")]
pub struct Model {
    /// Its name.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub symbol: String,
    /// Its number on this exchange.
    pub instrument_number: i64,
    /// The step between prices.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text")]
    pub tick_size: ExactDecimal,
    /// The step between quantities.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text")]
    pub lot_size: ExactDecimal,
    /// The least an order's quantity may be.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text")]
    pub min_quantity: ExactDecimal,
    /// The most an order's quantity may be.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text")]
    pub max_quantity: ExactDecimal,
    /// The least notional of a limit order, if any.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text", nullable)]
    pub min_notional: Option<ExactDecimal>,
    /// How far from the last trade a limit price may be, in percent of it, if bounded.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text", nullable)]
    pub price_band: Option<ExactDecimal>,
    /// The Binance symbol it takes trades and depth from, if any.
    #[sea_orm(column_type = "Text", nullable)]
    pub binance_symbol: Option<String>,
    /// `trading` or `halted`, as of the projected sequence.
    #[sea_orm(column_type = "Text")]
    pub status: String,
    /// The sequence of the last record whose orders and trades stand in this database.
    pub projected_sequence: i64,
}

/// None: the keys are the exchange's, not the database's.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
