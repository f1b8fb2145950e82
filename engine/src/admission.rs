//! What an instrument asks of an order before any book sees it.

#[cfg(test)]
mod tests;

use crate::answer::InvalidOrder;
use crate::instrument::Instrument;
use crate::order::NewOrder;
use crate::price::Price;
use crate::quantity::Quantity;

/// Checks a client's order against the instrument's rules.
///
/// # Errors
/// The first rule that the order breaks: least quantity, most quantity, least notional.
pub fn admit(instrument: &Instrument, order: &NewOrder) -> Result<(), InvalidOrder> {
    check(instrument, order.kind.price(), order.quantity)
}

/// The same for what an amend would make of an order. `price` is a limit order's.
pub(crate) fn check(
    instrument: &Instrument,
    price: Option<Price>,
    quantity: Quantity,
) -> Result<(), InvalidOrder> {
    let min = instrument.min_quantity;
    if quantity < min {
        return Err(InvalidOrder::QuantityBelowMinimum { min });
    }
    let max = instrument.max_quantity;
    if quantity > max {
        return Err(InvalidOrder::QuantityAboveMaximum { max });
    }
    match (price, instrument.min_notional) {
        (Some(price), Some(min)) if price * quantity < min => {
            Err(InvalidOrder::NotionalBelowMinimum { min })
        }
        (None | Some(_), None | Some(_)) => Ok(()),
    }
}
