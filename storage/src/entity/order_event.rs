//! `order_events`: every order as it stood after each command that changed it.

use sea_orm::entity::prelude::*;

use super::decimal::ExactDecimal;
use super::moment::Moment;

/// One order after one command. Its key is the order's and the command's sequence.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "order_events")]
pub struct Model {
    /// The instrument's symbol.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub instrument: String,
    /// The sequence of the command that placed the order.
    #[sea_orm(primary_key, auto_increment = false)]
    pub order_sequence: i64,
    /// The order's `mirror_index`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub mirror_index: i64,
    /// The sequence of the command that changed it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub sequence: i64,
    /// The order's id.
    #[sea_orm(column_type = "Text")]
    pub order_id: String,
    /// Whose order it is.
    #[sea_orm(column_type = "Text")]
    pub client_id: String,
    /// `open`, `partially_filled`, `filled`, `cancelled` or `rejected`.
    #[sea_orm(column_type = "Text")]
    pub status: String,
    /// Why it was cancelled or rejected.
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    /// The limit; none for a market order.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text", nullable)]
    pub price: Option<ExactDecimal>,
    /// All of it.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text")]
    pub quantity: ExactDecimal,
    /// What had traded.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text")]
    pub filled_quantity: ExactDecimal,
    /// `quantity` less `filled_quantity`.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text")]
    pub remaining_quantity: ExactDecimal,
    /// How many trades it had had.
    pub trade_count: i64,
    /// When.
    #[sea_orm(column_type = "TimestampWithTimeZone")]
    pub timestamp: Moment,
}

/// None: the keys are the exchange's, not the database's.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
