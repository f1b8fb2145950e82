//! Decimals at the edge: text in, text out, and never a float between.
//!
//! Coming in, a decimal is a JSON string or number, read exactly from its digits. Going out, it
//! is a whole number of increments written at the increment's scale. A text of any length costs
//! one pass over it; what does not fit 28 digits is still placed between its neighbours.

mod input;
mod output;
mod signed;
mod stamp;

pub use input::{DecimalError, Measure, exact_decimal, whole_units};
pub use output::DecimalText;
pub use signed::SignedDecimalText;
pub use stamp::{DayText, TimestampText};
