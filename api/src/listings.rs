//! Adding instruments to a running exchange.

use std::sync::Arc;

use shardbook_engine::exchange::{AddError, Additions, Exchange};
use shardbook_engine::instrument::{Instrument, InstrumentSpecification};
use shardbook_engine::journal::JournalError;
use shardbook_engine::router::{InstrumentHandle, Router};
use shardbook_engine::time::Clock;
use shardbook_storage::control_log::ControlLogError;

use crate::control::Control;
use crate::problem::{Code, FieldError, Problem};

/// Is told of a new instrument before it has any record.
pub type OnListed = Arc<dyn Fn(&Arc<Instrument>) + Send + Sync>;

/// Where instruments are added. Clones add to the same exchange.
#[derive(Clone)]
pub struct Listings {
    control: Control,
    additions: Additions,
    router: Arc<Router>,
    partitions: u32,
    on_listed: OnListed,
    clock: Arc<dyn Clock>,
}

impl Listings {
    /// Adds to `exchange`, to one of `partitions` in turn, what becomes durable in `control`.
    #[must_use]
    pub fn of(
        exchange: &Exchange,
        control: Control,
        partitions: u32,
        on_listed: OnListed,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        Self {
            control,
            additions: exchange.additions().clone(),
            router: Arc::clone(exchange.router()),
            partitions,
            on_listed,
            clock: Arc::clone(clock),
        }
    }

    /// Adds an instrument: once this returns, it is durable and takes orders.
    ///
    /// # Errors
    /// [`Code::InstrumentExists`], [`Code::InvalidOrder`] for a Binance symbol that another has,
    /// [`Code::JournalUnavailable`], [`Code::ShardRestarting`] while the exchange stops.
    pub async fn add(
        &self,
        specification: InstrumentSpecification,
    ) -> Result<Arc<InstrumentHandle>, Problem> {
        // What has become durable is started, too, whether or not the caller waits for it.
        let added = tokio::spawn(self.clone().list_and_start(specification)).await;
        added.unwrap_or_else(|error| {
            tracing::error!(%error, "adding an instrument broke down");
            Err(Problem::new(Code::Internal, "the instrument was not added"))
        })
    }

    async fn list_and_start(
        self,
        specification: InstrumentSpecification,
    ) -> Result<Arc<InstrumentHandle>, Problem> {
        let (partitions, now) = (self.partitions, self.clock.now());
        let listing = self
            .control
            .write(move |log| log.add(specification, partitions, now))
            .await
            .map_err(not_listed)?;
        let symbol = listing.instrument.symbol.clone();
        (self.on_listed)(&listing.instrument);
        let started = self.additions.start(listing.instrument, listing.partition);
        started.await.map_err(|error| not_started(&error))?;
        tracing::info!(%symbol, partition = listing.partition.get(), "instrument added");
        let handle = self.router.instrument(symbol.as_str());
        handle.ok_or_else(|| not_started(&AddError::Stopping))
    }
}

fn not_listed(error: ControlLogError) -> Problem {
    match error {
        ControlLogError::InstrumentExists { .. } => {
            Problem::new(Code::InstrumentExists, error.to_string())
        }
        ControlLogError::BinanceSymbolTaken { .. } => Problem::invalid(vec![FieldError {
            field: "binance_symbol",
            message: error.to_string(),
        }]),
        ControlLogError::Journal(JournalError::NoRoom { .. }) => {
            Problem::new(Code::JournalUnavailable, "the control log has no room")
        }
        ControlLogError::Journal(_)
        | ControlLogError::Record { .. }
        | ControlLogError::OutOfStep { .. }
        | ControlLogError::Contradiction { .. }
        | ControlLogError::KeyExists { .. } => {
            tracing::error!(%error, "an instrument could not be listed");
            let detail = "the control log can't be written";
            Problem::new(Code::JournalUnavailable, detail)
        }
    }
}

/// It is listed, and starts with the exchange the next time.
fn not_started(error: &AddError) -> Problem {
    Problem::new(Code::ShardRestarting, error.to_string())
}
