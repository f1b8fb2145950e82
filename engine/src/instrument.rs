//! What can be traded, and the increments its prices and quantities come in.

use std::num::NonZeroU64;

use rust_decimal::Decimal;
use thiserror::Error;

use crate::id::{InstrumentId, Symbol};
use crate::quantity::{Notional, Quantity};
use crate::time::Timestamp;

/// Most digits an increment may have after the point.
const SCALE_MAX: u32 = 18;

/// Most units of its last digit that an increment may be. Shown as decimals, sums of ticks times
/// lots, which are below 2^128, are then below 2^168: they need 256 bits outside of the engine, and
/// no more of them. One trade's own is at most 10^36 units and fits 128.
const MANTISSA_MAX: u64 = 1_000_000;

/// The step between neighbouring prices (a tick) or quantities (a lot): `mantissa / 10^scale`.
///
/// This is the one place where decimals become integers and the scale at which integers are
/// shown as decimals again; the book never sees either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Increment {
    mantissa: NonZeroU64,
    scale: u32,
}

/// Why a decimal is no increment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "must be above 0, with at most {SCALE_MAX} digits after the point, and at most {MANTISSA_MAX} units of its last digit"
)]
pub struct IncrementError;

/// Why a decimal is no whole number of increments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UnitsError {
    /// It lies between two multiples of the increment.
    #[error("{value} is not a multiple of {increment}; the nearest are {below} and {above}")]
    Between {
        /// The value given.
        value: Decimal,
        /// The increment.
        increment: Decimal,
        /// The multiple below.
        below: Decimal,
        /// The multiple above.
        above: Decimal,
    },
    /// Below zero, or too many increments to count.
    #[error("{value} is out of range")]
    OutOfRange {
        /// The value given.
        value: Decimal,
    },
}

impl Increment {
    /// The increment written as `step`: `0.01`, `5`, `0.00001`. Zeros at its end count as digits.
    ///
    /// # Errors
    /// When it is not above zero or has more digits than prices and quantities may have.
    pub fn new(step: Decimal) -> Result<Self, IncrementError> {
        let mantissa = u64::try_from(step.mantissa()).map_err(|_| IncrementError)?;
        let mantissa = NonZeroU64::new(mantissa).ok_or(IncrementError)?;
        if step.scale() > SCALE_MAX || mantissa.get() > MANTISSA_MAX {
            return Err(IncrementError);
        }
        Ok(Self {
            mantissa,
            scale: step.scale(),
        })
    }

    /// The increment as a decimal.
    #[must_use]
    pub fn step(self) -> Decimal {
        Decimal::from_i128_with_scale(i128::from(self.mantissa.get()), self.scale)
    }

    /// Units of the last digit in one increment: 25 for `0.25`.
    #[must_use]
    pub const fn mantissa(self) -> u64 {
        self.mantissa.get()
    }

    /// Digits after the point.
    #[must_use]
    pub const fn scale(self) -> u32 {
        self.scale
    }

    /// How many increments `value` is, exactly.
    ///
    /// # Errors
    /// When it lies between two multiples, is below zero, or is too large to count.
    pub fn units(self, value: Decimal) -> Result<u64, UnitsError> {
        if let Some(units) = self.units_of_short(value) {
            return Ok(units);
        }
        let out_of_range = UnitsError::OutOfRange { value };
        let step = self.step();
        if value.is_sign_negative() && !value.is_zero() {
            return Err(out_of_range);
        }
        let remainder = value.checked_rem(step).ok_or(out_of_range)?;
        let below = value.checked_sub(remainder).ok_or(out_of_range)?;
        if !remainder.is_zero() {
            let above = below.checked_add(step).ok_or(out_of_range)?;
            return Err(UnitsError::Between {
                value,
                increment: step,
                below: below.normalize(),
                above: above.normalize(),
            });
        }
        let units = below.checked_div(step).ok_or(out_of_range)?;
        u64::try_from(units.normalize().mantissa())
            .ok()
            .filter(|_| units.normalize().scale() == 0)
            .ok_or(out_of_range)
    }

    /// The same for what nearly all values are: no finer than the increment, of few digits, and a
    /// whole number of increments.
    fn units_of_short(self, value: Decimal) -> Option<u64> {
        let mantissa = u64::try_from(value.mantissa()).ok()?;
        let finer = self.scale.checked_sub(value.scale())?;
        let in_last_digit = mantissa.checked_mul(10_u64.checked_pow(finer)?)?;
        in_last_digit
            .is_multiple_of(self.mantissa.get())
            .then(|| in_last_digit / self.mantissa)
    }

    /// The most whole increments in `value`, and whether something was left over.
    ///
    /// # Errors
    /// When the value is below zero or too large to count.
    pub fn whole_units(self, value: Decimal) -> Result<(u64, bool), UnitsError> {
        match self.units(value) {
            Ok(units) => Ok((units, false)),
            Err(UnitsError::Between { below, .. }) => Ok((self.units(below)?, true)),
            Err(error @ UnitsError::OutOfRange { .. }) => Err(error),
        }
    }
}

/// How far a limit price may be from the last trade's, in hundredths of a percent of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PriceBand(NonZeroU64);

impl PriceBand {
    /// The band of so many hundredths of a percent, or `None` for zero.
    #[must_use]
    pub const fn from_basis_points(basis_points: u64) -> Option<Self> {
        match NonZeroU64::new(basis_points) {
            Some(basis_points) => Some(Self(basis_points)),
            None => None,
        }
    }

    /// Hundredths of a percent.
    #[must_use]
    pub const fn basis_points(self) -> u64 {
        self.0.get()
    }
}

/// An instrument and the rules its orders keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// Its number, given when it was first seen.
    pub id: InstrumentId,
    /// Its name.
    pub symbol: Symbol,
    /// The step between prices.
    pub tick: Increment,
    /// The step between quantities.
    pub lot: Increment,
    /// The least an order's quantity may be; one lot unless set.
    pub min_quantity: Quantity,
    /// The most an order's quantity may be.
    pub max_quantity: Quantity,
    /// The least price times quantity of a limit order.
    pub min_notional: Option<Notional>,
    /// Refuses limit orders too far from the last trade.
    pub price_band: Option<PriceBand>,
    /// The Binance symbol whose trades and depth it takes, in upper case.
    pub binance_symbol: Option<String>,
    /// When it was first listed: days that ended before then are none of its own.
    pub listed_at: Timestamp,
}

/// An instrument as the settings or an operator name it, before the exchange gives it a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstrumentSpecification {
    /// Its name.
    pub symbol: Symbol,
    /// The step between prices.
    pub tick: Increment,
    /// The step between quantities.
    pub lot: Increment,
    /// The least an order's quantity may be.
    pub min_quantity: Quantity,
    /// The most an order's quantity may be.
    pub max_quantity: Quantity,
    /// The least price times quantity of a limit order.
    pub min_notional: Option<Notional>,
    /// Refuses limit orders too far from the last trade.
    pub price_band: Option<PriceBand>,
    /// The Binance symbol whose trades and depth it takes, in upper case.
    pub binance_symbol: Option<String>,
}

impl InstrumentSpecification {
    /// The instrument with its number, listed then.
    #[must_use]
    pub fn numbered(self, id: InstrumentId, listed_at: Timestamp) -> Instrument {
        let Self {
            symbol,
            tick,
            lot,
            min_quantity,
            max_quantity,
            min_notional,
            price_band,
            binance_symbol,
        } = self;
        Instrument {
            id,
            symbol,
            tick,
            lot,
            min_quantity,
            max_quantity,
            min_notional,
            price_band,
            binance_symbol,
            listed_at,
        }
    }
}
