//! `trades`: every trade.

use sea_orm::entity::prelude::*;

use super::decimal::ExactDecimal;
use super::moment::Moment;

/// One trade.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "trades")]
pub struct Model {
    /// `<instrument>-<trade_number>`.
    #[sea_orm(column_type = "Text")]
    pub trade_id: String,
    /// The instrument's symbol.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub instrument: String,
    /// Its number within the instrument, from 1 without a gap.
    #[sea_orm(primary_key, auto_increment = false)]
    pub trade_number: i64,
    /// The buyer's order.
    #[sea_orm(column_type = "Text")]
    pub buy_order_id: String,
    /// The seller's order.
    #[sea_orm(column_type = "Text")]
    pub sell_order_id: String,
    /// The buyer.
    #[sea_orm(column_type = "Text")]
    pub buy_client_id: String,
    /// The seller.
    #[sea_orm(column_type = "Text")]
    pub sell_client_id: String,
    /// The `sequence` of the buyer's order.
    pub buy_sequence: i64,
    /// The `mirror_index` of the buyer's order.
    pub buy_mirror_index: i64,
    /// The `sequence` of the seller's order.
    pub sell_sequence: i64,
    /// The `mirror_index` of the seller's order.
    pub sell_mirror_index: i64,
    /// The resting order's price, at the tick's scale.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text")]
    pub price: ExactDecimal,
    /// How much, at the lot's scale.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text")]
    pub quantity: ExactDecimal,
    /// `buy` or `sell`: who came in last.
    #[sea_orm(column_type = "Text")]
    pub taker_side: String,
    /// The sequence of the command that made it.
    pub sequence: i64,
    /// When.
    #[sea_orm(column_type = "TimestampWithTimeZone")]
    pub timestamp: Moment,
}

/// None: the keys are the exchange's, not the database's.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
