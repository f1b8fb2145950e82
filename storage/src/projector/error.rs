//! Why the projector does not go on.

use shardbook_engine::checkpoint::CheckpointError;
use shardbook_engine::id::{InstrumentId, OrderId, Sequence, Symbol};
use shardbook_engine::journal::{JournalError, Position};
use shardbook_engine::partition::reader::ReadError;
use thiserror::Error;
use uuid::Uuid;

use crate::database::DatabaseError;
use crate::entity::convert::RowError;

/// Why the projector does not go on. It tries again after any of them.
#[derive(Debug, Error)]
pub enum ProjectorError {
    /// The database is away.
    #[error("database: {0}")]
    Database(#[from] DatabaseError),
    /// The database must not be written to.
    #[error(transparent)]
    Refused(#[from] RefusedDatabase),
    /// Someone else has written the position meanwhile: a second projector.
    #[error(
        "partition {partition}: the database is no longer at position {expected}; another process projects into it"
    )]
    PositionMoved {
        /// Which partition.
        partition: u32,
        /// Where the database stood.
        expected: Position,
    },
    /// The journal can't be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What the journal holds can't be understood.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A checkpoint that a database is to begin with can't be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A record of an instrument that the exchange does not know.
    #[error("the journal speaks of instrument {} that does not exist", .0.get())]
    UnknownInstrument(InstrumentId),
    /// A record does not follow what the database holds.
    #[error(
        "{symbol}: record {} comes after {}", .found.get(), .projected.get()
    )]
    Gap {
        /// Whose record.
        symbol: Symbol,
        /// What the database holds.
        projected: Sequence,
        /// What comes next.
        found: Sequence,
    },
    /// It is no longer as far as it was: another one was put in its place.
    #[error("{symbol}: the database is at {}, and was past {}", .projected.get(), .wanted.get())]
    Behind {
        /// Which instrument.
        symbol: String,
        /// What the database holds.
        projected: Sequence,
        /// What it held.
        wanted: Sequence,
    },
    /// A record changes an order that stands neither in the database nor in the journal before.
    #[error("{symbol}: order {}.{index} is not in the database", .sequence.get())]
    UnknownOrder {
        /// Whose order.
        symbol: Symbol,
        /// Its placement.
        sequence: Sequence,
        /// Its index.
        index: u32,
    },
    /// A record has a trade and no order that came in.
    #[error("{symbol}: record {} trades without an incoming order", .sequence.get())]
    NoIncomingOrder {
        /// Whose record.
        symbol: Symbol,
        /// Which.
        sequence: Sequence,
    },
    /// A record fills an order with more than is left of it.
    #[error("record {} fills {order_id} with more than is left of it", .sequence.get())]
    Overfilled {
        /// Which order.
        order_id: OrderId,
        /// Which record.
        sequence: Sequence,
    },
    /// Something fits no row.
    #[error(transparent)]
    Row(#[from] RowError),
}

/// Why a database must not be written to, though it is there.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RefusedDatabase {
    /// It holds another exchange's orders.
    #[error("the database belongs to exchange {found}, and this is exchange {ours}")]
    ForeignExchange {
        /// Whose it is.
        found: String,
        /// This one's.
        ours: Uuid,
    },
    /// Its position is none that this journal could go on from.
    #[error(
        "partition {partition}: the database stands at position {position}, and the journal holds {oldest} to {newest}"
    )]
    OutsideJournal {
        /// Which partition.
        partition: u32,
        /// Where the database stands; 0 for one that holds nothing.
        position: Position,
        /// The oldest frame held.
        oldest: Position,
        /// The newest frame held.
        newest: Position,
    },
    /// It was to be started over, and neither does the journal hold everything nor is there a
    /// checkpoint to begin with.
    #[error(
        "partition {partition}: the database can't be started over, because the journal begins at position {oldest} and no checkpoint that it goes on from can be read"
    )]
    BeginningMissing {
        /// Which partition.
        partition: u32,
        /// The oldest frame held.
        oldest: Position,
    },
}
