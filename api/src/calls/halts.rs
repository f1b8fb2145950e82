//! Stopping and resuming trading on an instrument.

use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, OpenApi};

use shardbook_engine::command::Command;
use shardbook_engine::id::Symbol;

use crate::access::Admin;
use crate::calls::Tag;
use crate::calls::market_data::view;
use crate::documented::Failure;
use crate::payload::JsonResponse;
use crate::problem::Problem;
use crate::schema::instrument::InstrumentView;
use crate::schema::text::SymbolText;
use crate::trading::Trading;

failures! {
    HaltFailures: InstrumentNotFound, CommandRefused, Overloaded, ShardRestarting,
        JournalUnavailable;
}

/// The calls that stop and resume trading.
#[derive(Clone)]
pub struct Halts {
    trading: Trading,
}

#[derive(ApiResponse)]
enum Done {
    /// The instrument, once its status is durable.
    #[oai(status = 200)]
    Instrument(JsonResponse<InstrumentView>),
}

impl Halts {
    /// Calls that stop what `trading` trades.
    #[must_use]
    pub const fn new(trading: Trading) -> Self {
        Self { trading }
    }

    async fn carry_out(&self, symbol: &Symbol, command: Command) -> Result<Done, Problem> {
        let on = self.trading.instrument(Some(symbol))?;
        match self.trading.router().call(&on, command).await {
            Ok(_) => Ok(Done::Instrument(JsonResponse(view(&on)))),
            Err(error) => Err(Problem::of_call(error, on.instrument())),
        }
    }
}

#[OpenApi(tag = "Tag::Administration")]
impl Halts {
    /// Halt an instrument
    ///
    /// From now on, over restarts too, it takes cancels only and rejects orders; the feed's
    /// trades are skipped and its depth is withdrawn. Halting what is halted changes nothing. An
    /// instrument whose shard crashes three times in a minute is halted by itself.
    #[oai(
        path = "/admin/instruments/:symbol/halt",
        method = "post",
        operation_id = "halt_instrument"
    )]
    async fn halt(
        &self,
        _by: Admin,
        /// The instrument's name, as `BTC-USD`.
        symbol: Path<SymbolText>,
    ) -> Result<Done, Failure<HaltFailures>> {
        Ok(self.carry_out(&symbol.0.0, Command::Halt).await?)
    }

    /// Resume an instrument
    ///
    /// Lets trading go on. Resuming what is not halted changes nothing.
    #[oai(
        path = "/admin/instruments/:symbol/resume",
        method = "post",
        operation_id = "resume_instrument"
    )]
    async fn resume(
        &self,
        _by: Admin,
        /// The instrument's name, as `BTC-USD`.
        symbol: Path<SymbolText>,
    ) -> Result<Done, Failure<HaltFailures>> {
        Ok(self.carry_out(&symbol.0.0, Command::Resume).await?)
    }
}
