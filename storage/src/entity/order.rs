//! `orders`: every order as it stands.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use super::decimal::ExactDecimal;
use super::moment::Moment;

/// One order. Its key is (`instrument`, `sequence`, `mirror_index`). As JSON it stands in
/// snapshots.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "orders")]
pub struct Model {
    /// The instrument's symbol.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub instrument: String,
    /// The sequence of the command that placed it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub sequence: i64,
    /// 0, but for the mirror's orders, of which one command places several, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub mirror_index: i64,
    /// Its id; may come back after the id window.
    #[sea_orm(column_type = "Text")]
    pub order_id: String,
    /// Whose it is.
    #[sea_orm(column_type = "Text")]
    pub client_id: String,
    /// `buy` or `sell`.
    #[sea_orm(column_type = "Text")]
    pub side: String,
    /// `limit` or `market`.
    #[sea_orm(column_name = "type", column_type = "Text")]
    #[serde(rename = "type")]
    pub kind: String,
    /// `gtc`, `ioc`, `fok` or `post_only`; none for a market order.
    #[sea_orm(column_type = "Text", nullable)]
    pub time_in_force: Option<String>,
    /// The limit, at the tick's scale; none for a market order.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text", nullable)]
    pub price: Option<ExactDecimal>,
    /// All of it, at the lot's scale.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text")]
    pub quantity: ExactDecimal,
    /// What has traded.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text")]
    pub filled_quantity: ExactDecimal,
    /// `quantity` less `filled_quantity`, in final states too.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text")]
    pub remaining_quantity: ExactDecimal,
    /// The sum of its trades' prices times quantities, exact, at both scales added.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text")]
    pub filled_notional: ExactDecimal,
    /// `filled_notional` by `filled_quantity`, half-even at the tick's scale + 4; none unfilled.
    #[sea_orm(column_type = "Decimal(None)", select_as = "text", nullable)]
    pub average_price: Option<ExactDecimal>,
    /// `open`, `partially_filled`, `filled`, `cancelled` or `rejected`.
    #[sea_orm(column_type = "Text")]
    pub status: String,
    /// Why it was cancelled or rejected.
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    /// The client's mark against doing it twice.
    #[sea_orm(column_type = "Text", nullable)]
    pub idempotency_key: Option<String>,
    /// `none`, `cancel_taker`, `cancel_maker` or `cancel_both`.
    #[sea_orm(column_type = "Text")]
    pub self_trade_prevention: String,
    /// How many trades it had.
    pub trade_count: i64,
    /// The sequence of the command that changed it last.
    pub updated_sequence: i64,
    /// When it was placed.
    #[sea_orm(column_type = "TimestampWithTimeZone")]
    pub created_at: Moment,
    /// When it changed last.
    #[sea_orm(column_type = "TimestampWithTimeZone")]
    pub updated_at: Moment,
}

/// None: the keys are the exchange's, not the database's.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
