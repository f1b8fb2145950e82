//! Candles of minutes that memory has let go of.

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use shardbook_engine::candle::Candle;
use shardbook_engine::instrument::Instrument;
use shardbook_engine::time::Timestamp;

use super::{Queries, QueryError, in_time};
use crate::entity::candle;
use crate::entity::convert::{candle_of, moment};

/// Candles asked for in one statement: a week of minutes.
pub const CANDLES_MAX: u64 = 10_080;

impl Queries {
    /// The newest one-minute candles that begin in `from..to`, newest first, at most
    /// [`CANDLES_MAX`]: whoever gets so many asks on.
    ///
    /// # Errors
    /// When the database is away or holds what was never written.
    pub async fn candles_before(
        &self,
        instrument: &Instrument,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Candle>, QueryError> {
        let backend = self.database.backend();
        let (from, to) = (moment("open_time", from)?, moment("open_time", to)?);
        let open_time = || Expr::col(candle::Column::OpenTime);
        let rows = candle::Entity::find()
            .filter(candle::Column::Instrument.eq(instrument.symbol.as_str()))
            .filter(ExprTrait::gte(open_time(), from.operand(backend)))
            .filter(ExprTrait::lt(open_time(), to.operand(backend)))
            .order_by_desc(candle::Column::OpenTime)
            .limit(CANDLES_MAX)
            .all(self.database.reader());
        let rows = in_time("reading candles", rows).await?;
        let candles = rows.iter().map(|row| candle_of(instrument, row));
        Ok(candles.collect::<Result<_, _>>()?)
    }
}
