//! Settlement: what each client's trades of a day come to, told once and for good.
//!
//! A day is settled when the database holds all of it: the projector is past the record by which
//! each instrument that existed when the day ended has closed it. Its positions are then as they
//! will ever be, and one serializable transaction makes lines of them. What each crash leaves
//! behind: before the commit nothing, after it the settlement, which the next try finds.
//!
//! Why that level, and what it guards against, stands in `docs/decisions/`.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use ethnum::I256;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, RuntimeErr, SqlErr,
};
use shardbook_engine::id::Symbol;
use shardbook_engine::time::{Day, Timestamp};
use thiserror::Error;
use tokio::time::timeout;
use uuid::Uuid;

use crate::database::{Database, DatabaseError, Transaction};
use crate::entity::convert::{RowError, day_of, day_text, integer, moment, settlement_line_row};
use crate::entity::{closed_day, daily_position, exchange, settlement, settlement_line};
use crate::projector::{Existing, RowWriter};
use crate::query::{QueryError, in_time};

/// How long one settlement may take: a day of a million lines takes some seconds.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Tries at a day that someone else settles, or that the projector writes beside, at the same
/// time.
const TRIES_MAX: usize = 5;

/// A settled day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// Which.
    pub head: settlement::Model,
    /// By instrument, then client.
    pub lines: Vec<settlement_line::Model>,
}

/// What became of settling a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It was settled now.
    Now(Settlement),
    /// It had been settled before.
    Before(Settlement),
}

/// Why a day is not settled.
#[derive(Debug, Error)]
pub enum SettlementError {
    /// The database is away, or holds what was never written.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The database does not hold the whole day, or not yet.
    #[error("the database does not hold the end of {date} on {}", .missing.join(", "))]
    NotHeld {
        /// The day.
        date: String,
        /// The instruments whose day's end is missing.
        missing: Vec<String>,
    },
    /// What was bought is not what was sold: a bug. Nothing is written.
    #[error("the settlement of {date} does not sum to zero on {instrument}")]
    Unbalanced {
        /// The day.
        date: String,
        /// The instrument.
        instrument: String,
    },
    /// The database has become another exchange's.
    #[error("the database is another exchange's")]
    ForeignExchange,
}

impl From<RowError> for SettlementError {
    fn from(error: RowError) -> Self {
        Self::Query(error.into())
    }
}

impl From<DatabaseError> for SettlementError {
    fn from(error: DatabaseError) -> Self {
        Self::Query(error.into())
    }
}

/// Settles days, and tells of those settled.
#[derive(Clone, Debug)]
pub struct Settlements {
    database: Database,
    exchange: Uuid,
}

impl Settlements {
    /// Settlements of `exchange` in `database`.
    #[must_use]
    pub const fn new(database: Database, exchange: Uuid) -> Self {
        Self { database, exchange }
    }

    /// Settles a day, once: whoever asks again, or at the same time, gets the same.
    /// `instruments` are those that existed when the day ended.
    ///
    /// # Errors
    /// When the database is away or does not hold the whole day.
    pub async fn settle(
        &self,
        day: Day,
        instruments: &[Symbol],
        now: Timestamp,
    ) -> Result<Settled, SettlementError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let tried = timeout(SETTLE_TIMEOUT, self.try_to_settle(day, instruments, now));
            let tried = tried.await.unwrap_or(Err(Try::Failed(SettlementError::from(
                DatabaseError::TimedOut {
                    doing: "settling a day",
                    after: SETTLE_TIMEOUT,
                },
            ))));
            match tried {
                Ok(settled) => return Ok(settled),
                Err(Try::Failed(error)) => return Err(error),
                Err(Try::Overtaken(error)) if tries >= TRIES_MAX => {
                    return Err(DatabaseError::failed("settling a day")(error).into());
                }
                Err(Try::Overtaken(_)) => {}
            }
        }
    }

    async fn try_to_settle(
        &self,
        day: Day,
        instruments: &[Symbol],
        now: Timestamp,
    ) -> Result<Settled, Try> {
        let date = day_text(day).map_err(SettlementError::from)?;
        let transaction = self.database.begin_serializable().await?;
        self.check_whose(&transaction).await?;
        if let Some(head) = find(&transaction, &date).await? {
            let lines = lines(&transaction, &date).await?;
            return Ok(Settled::Before(Settlement { head, lines }));
        }
        check_held(&transaction, &date, instruments).await?;
        let lines = net(&transaction, &date).await?;
        let head = settlement::Model {
            settled_at: moment("settled_at", now).map_err(SettlementError::from)?,
            line_count: line_count(lines.len())?,
            date,
        };
        write(&transaction, &head, &lines).await?;
        transaction.commit().await?;
        Ok(Settled::Now(Settlement { head, lines }))
    }

    async fn check_whose(&self, transaction: &Transaction) -> Result<(), Try> {
        let found = exchange::Entity::find().one(transaction).await?;
        if found.is_some_and(|row| row.exchange_id == self.exchange.to_string()) {
            return Ok(());
        }
        Err(Try::Failed(SettlementError::ForeignExchange))
    }

    /// The days that some instrument has closed and that are not settled, oldest first.
    ///
    /// # Errors
    /// When the database is away or holds what was never written.
    pub async fn unsettled(&self) -> Result<Vec<Day>, QueryError> {
        let settled = settlement::Entity::find()
            .select_only()
            .column(settlement::Column::Date)
            .into_query();
        let days = closed_day::Entity::find()
            .select_only()
            .column(closed_day::Column::Day)
            .filter(closed_day::Column::Day.not_in_subquery(settled))
            .distinct()
            .order_by_asc(closed_day::Column::Day)
            .into_tuple::<String>()
            .all(self.database.reader());
        let days = in_time("looking for days to settle", days).await?;
        Ok(days
            .iter()
            .map(|day| day_of(day))
            .collect::<Result<_, _>>()?)
    }

    /// All settlements, newest first, without their lines.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn list(&self) -> Result<Vec<settlement::Model>, QueryError> {
        let rows = settlement::Entity::find()
            .order_by_desc(settlement::Column::Date)
            .all(self.database.reader());
        Ok(in_time("listing settlements", rows).await?)
    }

    /// The settlement of a day, if it is settled. A settlement never changes, so that head and
    /// lines belong together.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn find(&self, day: Day) -> Result<Option<Settlement>, QueryError> {
        let date = day_text(day)?;
        let doing = "reading a settlement";
        let reader = self.database.reader();
        let head = settlement::Entity::find_by_id(date.clone()).one(reader);
        let Some(head) = in_time(doing, head).await? else {
            return Ok(None);
        };
        let lines = in_time(doing, lines(reader, &date)).await?;
        Ok(Some(Settlement { head, lines }))
    }
}

/// Why one try came to nothing.
#[derive(Debug)]
enum Try {
    Failed(SettlementError),
    /// Someone else settled the day at the same time, or the database could not put two
    /// transactions one after the other.
    Overtaken(DbErr),
}

impl From<SettlementError> for Try {
    fn from(error: SettlementError) -> Self {
        Self::Failed(error)
    }
}

impl From<DatabaseError> for Try {
    fn from(error: DatabaseError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<DbErr> for Try {
    fn from(error: DbErr) -> Self {
        let is_taken = matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)));
        if is_taken || could_not_serialize(&error) {
            return Self::Overtaken(error);
        }
        Self::Failed(DatabaseError::failed("settling a day")(error).into())
    }
}

/// PostgreSQL's `serialization_failure` and `deadlock_detected`.
fn could_not_serialize(error: &DbErr) -> bool {
    let (DbErr::Exec(error) | DbErr::Query(error)) = error else {
        return false;
    };
    let RuntimeErr::SqlxError(error) = error else {
        return false;
    };
    error
        .as_database_error()
        .and_then(|error| error.code())
        .is_some_and(|code| code == "40001" || code == "40P01")
}

async fn find(transaction: &Transaction, date: &str) -> Result<Option<settlement::Model>, DbErr> {
    settlement::Entity::find_by_id(date.to_owned())
        .one(transaction)
        .await
}

async fn lines(
    connection: &impl ConnectionTrait,
    date: &str,
) -> Result<Vec<settlement_line::Model>, DbErr> {
    settlement_line::Entity::find()
        .filter(settlement_line::Column::Date.eq(date))
        .order_by_asc(settlement_line::Column::Instrument)
        .order_by_asc(settlement_line::Column::ClientId)
        .all(connection)
        .await
}

/// Refuses a day that an instrument has not closed here. A day without any instrument was before
/// the exchange, and nothing to settle.
async fn check_held(
    transaction: &Transaction,
    date: &str,
    instruments: &[Symbol],
) -> Result<(), Try> {
    let closed: Vec<String> = closed_day::Entity::find()
        .select_only()
        .column(closed_day::Column::Instrument)
        .filter(closed_day::Column::Day.eq(date))
        .into_tuple()
        .all(transaction)
        .await?;
    let closed: HashSet<String> = closed.into_iter().collect();
    let missing: Vec<String> = instruments
        .iter()
        .filter(|symbol| !closed.contains(symbol.as_str()))
        .map(ToString::to_string)
        .collect();
    if missing.is_empty() && !instruments.is_empty() {
        return Ok(());
    }
    Err(Try::Failed(SettlementError::NotHeld {
        date: date.to_owned(),
        missing,
    }))
}

/// The day's lines, which must sum to zero.
async fn net(transaction: &Transaction, date: &str) -> Result<Vec<settlement_line::Model>, Try> {
    let positions = daily_position::Entity::find()
        .filter(daily_position::Column::Day.eq(date))
        .order_by_asc(daily_position::Column::Instrument)
        .order_by_asc(daily_position::Column::ClientId)
        .all(transaction)
        .await?;
    let lines = positions.into_iter().map(settlement_line_row);
    let lines: Vec<_> = lines
        .collect::<Result<_, _>>()
        .map_err(SettlementError::from)?;
    check_balance(date, &lines)?;
    Ok(lines)
}

/// Both nets of each instrument sum to zero: every trade has a buyer and a seller.
fn check_balance(date: &str, lines: &[settlement_line::Model]) -> Result<(), SettlementError> {
    let zero = (I256::ZERO, I256::ZERO);
    let mut nets: BTreeMap<&str, Option<(I256, I256)>> = BTreeMap::new();
    for line in lines {
        let net = nets.entry(&line.instrument).or_insert(Some(zero));
        *net = net.and_then(|(quantity, cash)| {
            Some((
                quantity.checked_add(line.net_quantity.mantissa())?,
                cash.checked_add(line.net_cash.mantissa())?,
            ))
        });
    }
    match nets.into_iter().find(|(_, net)| *net != Some(zero)) {
        None => Ok(()),
        Some((instrument, _)) => Err(SettlementError::Unbalanced {
            date: date.to_owned(),
            instrument: instrument.to_owned(),
        }),
    }
}

fn line_count(lines: usize) -> Result<i64, SettlementError> {
    let lines = u64::try_from(lines).unwrap_or(u64::MAX);
    Ok(integer("line_count", lines)?)
}

/// The day first: of two who settle it at once, one is refused here.
async fn write(
    transaction: &Transaction,
    head: &settlement::Model,
    lines: &[settlement_line::Model],
) -> Result<(), DbErr> {
    let mut rows = RowWriter::new(transaction);
    rows.write::<settlement::Entity>(vec![head.clone()], Existing::Impossible)
        .await?;
    rows.write::<settlement_line::Entity>(lines.to_vec(), Existing::Impossible)
        .await?;
    rows.finish().await
}
