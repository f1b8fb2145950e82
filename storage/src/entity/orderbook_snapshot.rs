//! `orderbook_snapshots`: books as they stood, each with every order that rested in it.
//!
//! A snapshot is written once, read whole and deleted whole, so that what it holds is JSON in
//! three columns: a row for each of its orders would be as many rows as there are open orders,
//! every time. Both databases look into JSON for those who query it (`json_each(orders)` on
//! SQLite, `json_array_elements(orders::json)` on PostgreSQL).

use sea_orm::entity::prelude::*;

use super::moment::Moment;

/// One book at one sequence.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "orderbook_snapshots")]
pub struct Model {
    /// A `UUIDv7`: later ones are greater.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub snapshot_id: String,
    /// The instrument's symbol.
    #[sea_orm(column_type = "Text")]
    pub instrument: String,
    /// The last command in it, whether or not it changed the book.
    pub sequence: i64,
    /// How many orders rest.
    pub order_count: i64,
    /// When it was taken.
    #[sea_orm(column_type = "TimestampWithTimeZone")]
    pub created_at: Moment,
    /// The buyers' levels, best first: a JSON array.
    #[sea_orm(column_type = "Text")]
    pub bids: String,
    /// The sellers' levels, best first: a JSON array.
    #[sea_orm(column_type = "Text")]
    pub asks: String,
    /// The orders, oldest placement first: a JSON array of what would be rows of `orders`, the
    /// mirror's that never traded included.
    #[sea_orm(column_type = "Text")]
    pub orders: String,
}

/// None: the keys are the exchange's, not the database's.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
