//! A frame that came in, taken apart.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use shardbook_engine::id::{OrderId, Symbol};

use crate::problem::{Code, Problem};
use crate::request::{Fields, Inner, OrderText, read_object};
use crate::schema::operation::INTERVAL_MILLISECONDS_MAX;
use crate::schema::order::OrderRequest;
use crate::schema::word::Worded;
use crate::stream::channel::{Channel, ChannelSet};
use crate::stream::subscription::Pace;

/// A frame's fields, still to be parsed; an order among them may have been taken apart.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(bound(deserialize = "O: Deserialize<'de>"))]
pub(super) struct Frame<'a, O = OrderText<'a>> {
    #[serde(borrow, default)]
    pub(super) op: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) order: Option<O>,
    #[serde(borrow, default)]
    pub(super) order_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) instrument: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) instruments: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) channels: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) interval_ms: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) client_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) enabled: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) key: Option<&'a RawValue>,
}

impl<'a> Frame<'a> {
    /// Reads a frame in one pass; where that fails, in a second one that tells what is wrong, with
    /// the frame or with the order in it.
    pub(super) fn read(text: &'a str) -> Result<Self, Problem> {
        match serde_json::from_str::<Inner<Frame<'a, Inner<OrderRequest<'a>>>>>(text) {
            Ok(Inner(frame)) => Ok(frame.with_order(OrderText::from)),
            Err(_) => {
                let frame: Frame<'a, &'a RawValue> = read_object(text)?;
                Ok(frame.with_order(OrderText::from))
            }
        }
    }
}

impl<'a, O> Frame<'a, O> {
    fn with_order(self, order_of: impl FnOnce(O) -> OrderText<'a>) -> Frame<'a> {
        Frame {
            op: self.op,
            id: self.id,
            order: self.order.map(order_of),
            order_id: self.order_id,
            instrument: self.instrument,
            instruments: self.instruments,
            channels: self.channels,
            interval_ms: self.interval_ms,
            client_id: self.client_id,
            enabled: self.enabled,
            key: self.key,
        }
    }
}

pub(super) fn placed_order<'a>(frame: &Frame<'a>) -> Result<OrderText<'a>, Problem> {
    frame.order.ok_or_else(|| {
        let mut fields = Fields::default();
        fields.required("order", None);
        fields.into_problem()
    })
}

pub(super) fn json_text(value: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(value?.get()).ok()
}

pub(super) fn read_order_id(frame: &Frame<'_>) -> Result<(OrderId, Option<Symbol>), Problem> {
    let mut fields = Fields::default();
    fields.required("order_id", frame.order_id);
    let order_id = fields.text("order_id", frame.order_id, OrderId::new);
    let instrument = fields.text("instrument", frame.instrument, Symbol::new);
    match order_id {
        Some(order_id) if fields.is_empty() => Ok((order_id, instrument)),
        Some(_) | None => Err(fields.into_problem()),
    }
}

/// The channels named, or `None` if the field is left out.
pub(super) fn read_channels(frame: &Frame<'_>) -> Result<Option<ChannelSet>, Problem> {
    let Some(value) = frame.channels else {
        return Ok(None);
    };
    let names: Option<Vec<String>> = serde_json::from_str(value.get()).ok();
    let channels: Option<ChannelSet> = names.and_then(|names| {
        let channels = names.iter().map(|name| Channel::from_word(name));
        channels.collect()
    });
    match channels {
        Some(channels) if !channels.is_empty() => Ok(Some(channels)),
        Some(_) | None => {
            let message = format!("must be an array of some of {}", Channel::choices());
            Err(Problem::parameter("channels", message))
        }
    }
}

/// The instruments named, or `None` if the field is left out.
pub(super) fn read_instruments(frame: &Frame<'_>) -> Result<Option<Vec<Symbol>>, Problem> {
    let Some(value) = frame.instruments else {
        return Ok(None);
    };
    let wrong = || Problem::parameter("instruments", "must be an array of instruments' names");
    let names: Vec<String> = serde_json::from_str(value.get()).map_err(|_| wrong())?;
    let mut symbols = Vec::with_capacity(names.len());
    for name in &names {
        let symbol = Symbol::new(name).map_err(|_| {
            let detail = format!("there is no instrument {name}");
            Problem::new(Code::InstrumentNotFound, detail)
        })?;
        if !symbols.contains(&symbol) {
            symbols.push(symbol);
        }
    }
    if symbols.is_empty() {
        return Err(wrong());
    }
    Ok(Some(symbols))
}

pub(super) fn read_pace(frame: &Frame<'_>) -> Result<Pace, Problem> {
    let Some(value) = frame.interval_ms else {
        return Ok(Pace::EachDelta);
    };
    match value.get().parse::<u64>() {
        Ok(milliseconds) if (1..=u64::from(INTERVAL_MILLISECONDS_MAX)).contains(&milliseconds) => {
            Ok(Pace::Every(Duration::from_millis(milliseconds)))
        }
        Ok(_) | Err(_) => {
            let message = format!("must be a whole number from 1 to {INTERVAL_MILLISECONDS_MAX}");
            Err(Problem::parameter("interval_ms", message))
        }
    }
}
