//! What the engine refuses.

use shardbook_engine::answer::{InvalidOrder, Refusal};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::order::Rejection;
use shardbook_engine::responder::CallError;

use crate::decimal::DecimalText;
use crate::problem::{Code, FieldError, Problem};
use crate::stream::hub::NoSeat;

impl Problem {
    /// A command that was not carried out.
    #[must_use]
    pub fn of_call(error: CallError, instrument: &Instrument) -> Self {
        let detail = format!("{}: {error}", instrument.symbol);
        let problem = match error {
            CallError::Refused(refusal) => Self::refused(refusal, instrument),
            CallError::Overloaded => Self::new(Code::Overloaded, detail),
            CallError::JournalUnavailable => Self::new(Code::JournalUnavailable, detail),
            CallError::ShardRestarting => Self::new(Code::ShardRestarting, detail),
            CallError::CommandRefused => Self::new(Code::CommandRefused, detail),
        };
        problem.on(Some(instrument))
    }

    /// A shard's refusal.
    #[must_use]
    pub fn refused(refusal: Refusal, instrument: &Instrument) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::DuplicateOrderId => Self::new(Code::DuplicateOrderId, detail),
            Refusal::IdempotencyKeyReused => Self::new(Code::IdempotencyKeyReused, detail),
            // Whoever asked has looked among the closed orders before it comes here.
            Refusal::OrderNotOpen => Self::new(Code::OrderNotFound, "there is no such order"),
            Refusal::InvalidOrder(invalid) => {
                Self::invalid(vec![invalid_field(invalid, instrument)])
            }
            Refusal::AmendRejected(rejection) => Self::amend_rejected(rejection),
            // Only the exchange itself closes days.
            Refusal::DayNotOver => Self::new(Code::Internal, detail),
            Refusal::FeedOrder => Self::new(Code::Forbidden, detail),
        }
    }

    fn amend_rejected(rejection: Rejection) -> Self {
        let code = match rejection {
            Rejection::InstrumentHalted => Code::InstrumentHalted,
            Rejection::PriceOutsideBand => Code::PriceOutsideBand,
            Rejection::PostOnlyWouldCross => Code::PostOnlyWouldCross,
            // None of these is a reason to refuse a change of a resting order.
            Rejection::TooManyOpenOrders | Rejection::FokNotFillable | Rejection::NoLiquidity => {
                Code::Internal
            }
        };
        Self::new(
            code,
            format!("{}; the order is unchanged", code.title().to_lowercase()),
        )
    }
}

impl From<NoSeat> for Problem {
    fn from(full: NoSeat) -> Self {
        Self::new(Code::Overloaded, full.to_string())
    }
}

/// Which field breaks an instrument's rule, and how.
#[must_use]
pub fn invalid_field(invalid: InvalidOrder, instrument: &Instrument) -> FieldError {
    let message = match invalid {
        InvalidOrder::QuantityBelowMinimum { min } => {
            format!("{invalid}, {}", DecimalText::quantity(min, instrument))
        }
        InvalidOrder::QuantityAboveMaximum { max } => {
            format!("{invalid}, {}", DecimalText::quantity(max, instrument))
        }
        InvalidOrder::NotionalBelowMinimum { min } => {
            format!("{invalid}, {}", DecimalText::notional(min, instrument))
        }
        InvalidOrder::QuantityNotAboveFilled { filled } => {
            format!("{invalid}, {}", DecimalText::quantity(filled, instrument))
        }
    };
    FieldError {
        field: "quantity",
        message,
    }
}
