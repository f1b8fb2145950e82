//! What all payloads share: the version byte, and values of postcard with their lengths before
//! them.

use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize};

use super::RecordError;
use crate::price::Price;
use crate::quantity::Quantity;

/// Bytes of the length before each value: `u32`, little-endian.
const LENGTH_BYTES: usize = 4;

/// Appends `value` with its length before it.
#[expect(
    clippy::expect_used,
    reason = "memory takes all bytes, and a value of 4 GiB is a bug"
)]
pub(crate) fn append<T: Serialize>(value: &T, payload: &mut Vec<u8>) {
    let start = payload.len();
    payload.extend_from_slice(&[0; LENGTH_BYTES]);
    postcard::serialize_with_flavor(value, Append(payload)).expect("wire values have a wire form");
    let written = payload.len() - start - LENGTH_BYTES;
    let length = u32::try_from(written).expect("a value is far below 4 GiB");
    for (place, byte) in payload.iter_mut().skip(start).zip(length.to_le_bytes()) {
        *place = byte;
    }
}

/// Reads one value that must take up all of `bytes`.
pub(crate) fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, RecordError> {
    let (value, rest) = postcard::take_from_bytes(bytes).map_err(RecordError::Malformed)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(RecordError::Surplus {
            surplus: rest.len(),
        })
    }
}

/// Appends `value` with nothing before it.
#[expect(clippy::expect_used, reason = "memory takes all bytes")]
pub(crate) fn append_bare<T: Serialize>(value: &T, bytes: &mut Vec<u8>) {
    postcard::serialize_with_flavor(value, Append(bytes)).expect("wire values have a wire form");
}

/// Reads one value off the front of `bytes`.
pub(crate) fn take<'a, T: Deserialize<'a>>(bytes: &mut &'a [u8]) -> Result<T, RecordError> {
    let (value, rest) = postcard::take_from_bytes(bytes).map_err(RecordError::Malformed)?;
    *bytes = rest;
    Ok(value)
}

/// Checks a payload's version and reads each value in it with `decode`.
pub(crate) fn decode_payload<T>(
    payload: &[u8],
    known: u8,
    decode: impl Fn(&[u8]) -> Result<T, RecordError>,
) -> Result<Vec<T>, RecordError> {
    let (&version, mut rest) = payload.split_first().ok_or(RecordError::Truncated)?;
    if version != known {
        return Err(RecordError::UnknownVersion { version, known });
    }
    let mut values = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest
            .split_first_chunk::<LENGTH_BYTES>()
            .ok_or(RecordError::Truncated)?;
        let length =
            usize::try_from(u32::from_le_bytes(*length)).map_err(|_| RecordError::Truncated)?;
        let (bytes, after) = after
            .split_at_checked(length)
            .ok_or(RecordError::Truncated)?;
        values.push(decode(bytes)?);
        rest = after;
    }
    Ok(values)
}

/// Defines an enum without data that stands for one of the domain's, and both conversions.
macro_rules! wire_enum {
    ($wire:ident stands for $domain:ty { $($variant:ident),+ $(,)? }) => {
        #[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
        pub(crate) enum $wire { $($variant),+ }

        impl From<$domain> for $wire {
            fn from(value: $domain) -> Self {
                match value { $(<$domain>::$variant => Self::$variant),+ }
            }
        }

        impl From<$wire> for $domain {
            fn from(value: $wire) -> Self {
                match value { $($wire::$variant => Self::$variant),+ }
            }
        }
    };
}
pub(crate) use wire_enum;

pub(crate) fn above_zero(number: u64, field: &'static str) -> Result<u64, RecordError> {
    if number == 0 {
        return Err(RecordError::OutOfRange { field });
    }
    Ok(number)
}

pub(crate) fn price(ticks: u64) -> Result<Price, RecordError> {
    Price::new(ticks).ok_or(RecordError::OutOfRange { field: "price" })
}

/// A quantity, zero included.
pub(crate) fn quantity(lots: u64, field: &'static str) -> Result<Quantity, RecordError> {
    Quantity::new(lots).ok_or(RecordError::OutOfRange { field })
}

/// A quantity above zero.
pub(crate) fn some_quantity(lots: u64) -> Result<Quantity, RecordError> {
    quantity(above_zero(lots, "quantity")?, "quantity")
}

/// Lets postcard write at the end of a buffer that is already in use.
struct Append<'a>(&'a mut Vec<u8>);

impl Flavor for Append<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
