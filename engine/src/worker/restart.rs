//! A shard whose core panicked, and how it comes back.

use std::any::Any;
use std::sync::Arc;

use crate::command::Command;
use crate::fault::{Fault, Step};
use crate::recovery::rebuild_shard;
use crate::responder::Responder;
use crate::router::{Asked, Queued, ShardStatus};
use crate::shard::PREPARED_AT_ONCE;
use crate::supervisor::{Consequence, Panicked};

use super::{Batch, Worker};

/// The core panicked: it is not to be used before it is rebuilt.
#[derive(Debug)]
pub(super) struct Crashed;

/// The shard can't be brought back, and whoever ends the process has been told.
#[derive(Debug)]
pub(super) struct GivenUp;

impl Worker {
    /// Takes note of a panic before anyone hears of it.
    pub(super) fn crashed_by(&self, command: &Command, payload: &(dyn Any + Send)) -> Crashed {
        let instrument = self.handle.instrument();
        self.surroundings.crashed.remember(instrument.id, command);
        self.crashed(payload)
    }

    /// The same of a panic while these were prepared. Where it can't be told which of them it was,
    /// they are let off, and if it is sent again it is alone.
    pub(super) fn crashed_preparing(
        &mut self,
        next: &[Queued],
        payload: &(dyn Any + Send),
    ) -> Crashed {
        match next {
            [queued] => {
                self.prepared_at_once = PREPARED_AT_ONCE;
                match queued.command() {
                    Some(command) => self.crashed_by(command, payload),
                    None => self.crashed(payload),
                }
            }
            _ => {
                self.prepared_at_once = 1;
                self.crashed(payload)
            }
        }
    }

    fn crashed(&self, payload: &(dyn Any + Send)) -> Crashed {
        self.handle.set_status(ShardStatus::Restarting);
        let instrument = &self.handle.instrument().symbol;
        let error = Panicked::new("the shard", payload);
        tracing::error!(%instrument, %error, "the shard is rebuilt from the journal");
        Crashed
    }

    /// Rebuilds the core from checkpoint and journal after a panic, while other shards go on.
    /// First the journal settles: what became durable is answered as ever; what was decided
    /// behind it, and what waits, is forgotten, and its callers hear that the shard is
    /// restarting.
    pub(super) async fn restart(&mut self, _: Crashed) -> Result<(), GivenUp> {
        self.building = Batch::default();
        self.settle_flush().await;
        let source = Arc::clone(&self.surroundings.source);
        let instrument = Arc::clone(self.handle.instrument());
        let limits = self.surroundings.limits;
        let checkpoints = self.surroundings.checkpoints.clone();
        let rebuilding = tokio::task::spawn_blocking(move || {
            rebuild_shard(&*source, checkpoints.as_deref(), &instrument, limits)
        });
        match rebuilding.await {
            Ok(Ok(shard)) => self.shard = shard,
            Ok(Err(error)) => return Err(self.give_up(&error)),
            Err(error) => return Err(self.give_up(&error)),
        }
        let now = self.surroundings.clock.now();
        match self.panics.count(now) {
            Consequence::GoOn => {}
            Consequence::Halt => self.halt()?,
        }
        // The feed's commands wait for room even now, and each builds on the one before.
        for _ in 0..self.queue.len() {
            let _answered_by_its_drop = self.queue.try_recv();
        }
        let instrument = self.handle.instrument();
        self.surroundings.observer.shard_restarted(instrument);
        self.handle.set_status(ShardStatus::Running);
        tracing::warn!(instrument = %instrument.symbol, "the shard is back");
        Ok(())
    }

    /// Stops trading on an instrument that panics again and again, until someone lets it go on.
    fn halt(&mut self) -> Result<(), GivenUp> {
        let halt = Queued {
            asked: Asked::Command(Command::Halt),
            responder: Responder::nobody(),
            claim: None,
        };
        let decided = self.decide(halt);
        if decided.is_err() || !self.shard.is_halted() {
            return Err(self.give_up(&NotHalted));
        }
        let instrument = &self.handle.instrument().symbol;
        tracing::error!(%instrument, "the shard panicked too often; the instrument is halted");
        Ok(())
    }

    fn give_up(&self, error: &dyn std::error::Error) -> GivenUp {
        (self.surroundings.on_fatal)(error);
        GivenUp
    }

    /// Does what a test asked for.
    pub(super) fn inject(&mut self, fault: Fault) -> Result<(), Crashed> {
        match fault {
            Fault::Now => Err(self.crashed(&"a test asked for it")),
            Fault::OnOrder(_) | Fault::BeforeOrder(_) => {
                self.fault = Some(fault);
                Ok(())
            }
        }
    }
}

/// Panics if a test asked for that at this step of a command.
#[expect(clippy::panic, reason = "a test asked for it")]
pub(super) fn strike(fault: Option<&Fault>, step: Step, command: &Command) {
    if fault.is_some_and(|fault| fault.strikes(step, command)) {
        panic!("a test asked for it");
    }
}

/// The halt after too many panics was refused, or panicked itself.
#[derive(Debug, thiserror::Error)]
#[error("an instrument that panics again and again can't be halted")]
struct NotHalted;
