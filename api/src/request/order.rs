//! Orders, amends and mass cancels as they come in.

use std::sync::Arc;

use serde_json::value::RawValue;
use uuid::Uuid;

use shardbook_engine::admission::admit;
use shardbook_engine::command::OrderChange;
use shardbook_engine::id::{ClientId, IdempotencyKey, OrderId, Symbol};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::order::{ChosenId, NewOrder, OrderKind, TimeInForce};
use shardbook_engine::price::{Price, TICKS_MAX};
use shardbook_engine::quantity::{LOTS_MAX, Quantity};
use shardbook_engine::side::Side;

use crate::access::ActsFor;
use crate::decimal::{Measure, whole_units};
use crate::problem::{Code, Problem, invalid_field};
use crate::request::fields::{Fields, Inner, read_object};
use crate::schema::order::{AmendRequest, CancelAllRequest, OrderRequest};
use crate::schema::word::OrderType;

/// Something that knows its instrument.
pub trait Listed {
    /// The instrument and its rules.
    fn rules(&self) -> &Instrument;
}

impl Listed for Arc<Instrument> {
    fn rules(&self) -> &Instrument {
        self
    }
}

/// An order as it stands in what came in.
#[derive(Clone, Copy, Debug)]
pub enum OrderText<'a> {
    /// Still to be taken apart.
    Whole(&'a str),
    /// Its fields, taken apart together with what it stood in.
    Fields(OrderRequest<'a>),
}

impl<'a> From<&'a RawValue> for OrderText<'a> {
    fn from(value: &'a RawValue) -> Self {
        Self::Whole(value.get())
    }
}

impl<'a> From<Inner<OrderRequest<'a>>> for OrderText<'a> {
    fn from(Inner(fields): Inner<OrderRequest<'a>>) -> Self {
        Self::Fields(fields)
    }
}

/// A valid order and where it goes.
#[derive(Clone, Debug)]
pub struct PlaceRequest<H> {
    /// The instrument.
    pub to: H,
    /// The order.
    pub order: NewOrder,
}

/// The orders that a mass cancel is about.
#[derive(Clone, Debug)]
pub struct CancelAll<H> {
    /// Whose.
    pub client: ClientId,
    /// On this instrument alone, or on all.
    pub on: Option<H>,
    /// On this side alone, or on both.
    pub side: Option<Side>,
}

/// What the field `instrument` turned out to be.
enum Named<H> {
    /// Left out, or no name; noted as an error.
    Nothing,
    /// A name that no instrument has.
    Unknown(Symbol),
    /// An instrument.
    Known(H),
}

/// Reads an order.
///
/// `acts_for` says for whom it may be, and for whom it is where it names no client; `header_key` is
/// the idempotency key of the request's header, if it had one; `find` looks an instrument up by its
/// name.
///
/// # Errors
/// The problem that says what is wrong with the order, all of it that can be told.
pub fn read_order<H: Listed>(
    order: OrderText<'_>,
    acts_for: &ActsFor,
    header_key: Option<&IdempotencyKey>,
    find: impl FnOnce(&Symbol) -> Option<H>,
) -> Result<PlaceRequest<H>, Problem> {
    let request = match order {
        OrderText::Fields(fields) => fields,
        OrderText::Whole(text) => read_object(text)?,
    };
    let mut fields = Fields::default();
    let body_key = fields.text(
        "idempotency_key",
        request.idempotency_key,
        IdempotencyKey::new,
    );
    let key = one_key(body_key, header_key)?;
    let order_id = fields.text("order_id", request.order_id, OrderId::new);
    let client = read_client(&mut fields, request.client_id, acts_for)?;
    not_the_feeds_order(order_id.as_ref())?;

    fields.required("instrument", request.instrument);
    let named = read_instrument(&mut fields, request.instrument, find);
    let rules = match &named {
        Named::Known(handle) => Some(handle.rules()),
        Named::Nothing | Named::Unknown(_) => None,
    };
    fields.required("side", request.side);
    let side = fields.word::<Side>("side", request.side);
    let kind = read_kind(&mut fields, &request, rules);
    fields.required("quantity", request.quantity);
    let quantity = read_quantity(&mut fields, request.quantity, rules);
    let self_trade_prevention = fields.word("self_trade_prevention", request.self_trade_prevention);
    let handle = known(named, &mut fields)?;
    if !fields.is_empty() {
        return Err(fields.into_problem().on(handle.as_ref().map(H::rules)));
    }
    let (Some(client), Some(side), Some(kind), Some(quantity), Some(to)) =
        (client, side, kind, quantity, handle)
    else {
        // Each of them is there or was noted as wrong.
        return Err(fields.into_problem());
    };
    let order = NewOrder {
        id: order_id.map_or_else(exchange_id, |id| Ok(ChosenId::Client(id)))?,
        client,
        idempotency_key: key,
        side,
        kind,
        quantity,
        self_trade_prevention: self_trade_prevention.unwrap_or_default(),
    };
    admit(to.rules(), &order).map_err(|invalid| {
        Problem::invalid(vec![invalid_field(invalid, to.rules())]).on(Some(to.rules()))
    })?;
    Ok(PlaceRequest { to, order })
}

/// Checks what can be checked of an amend before its order is found.
///
/// # Errors
/// The problem that says what is wrong with it.
pub fn read_amend_request(text: &str) -> Result<AmendRequest<'_>, Problem> {
    let request: AmendRequest<'_> = read_object(text)?;
    if request.price.is_none() && request.quantity.is_none() {
        let mut fields = Fields::default();
        fields.wrong("price", "a new price or a new quantity is required");
        return Err(fields.into_problem());
    }
    Ok(request)
}

/// Reads what an amend of one of the instrument's orders changes.
///
/// # Errors
/// The problem that says what is wrong with it.
pub fn read_amend(
    request: &AmendRequest<'_>,
    instrument: &Instrument,
) -> Result<OrderChange, Problem> {
    let mut fields = Fields::default();
    let price = read_price(&mut fields, request.price, Some(instrument));
    let quantity = read_quantity(&mut fields, request.quantity, Some(instrument));
    let change = match (price, quantity) {
        (Some(price), Some(quantity)) => Some(OrderChange::PriceAndQuantity(price, quantity)),
        (Some(price), None) => Some(OrderChange::Price(price)),
        (None, Some(quantity)) => Some(OrderChange::Quantity(quantity)),
        (None, None) => None,
    };
    change
        .filter(|_| fields.is_empty())
        .ok_or_else(|| fields.into_problem())
}

/// Reads whose orders a mass cancel takes away.
///
/// # Errors
/// The problem that says what is wrong with it.
pub fn read_cancel_all<H: Listed>(
    text: &str,
    acts_for: &ActsFor,
    find: impl FnOnce(&Symbol) -> Option<H>,
) -> Result<CancelAll<H>, Problem> {
    let request: CancelAllRequest<'_> = read_object(text)?;
    let mut fields = Fields::default();
    let client = read_client(&mut fields, request.client_id, acts_for)?;
    let side = fields.word("side", request.side);
    let named = read_instrument(&mut fields, request.instrument, find);
    let on = known(named, &mut fields)?;
    client
        .filter(|_| fields.is_empty())
        .map(|client| CancelAll { client, on, side })
        .ok_or_else(|| fields.into_problem())
}

/// The feed's orders are nobody else's to place or change.
///
/// # Errors
/// [`Code::Forbidden`] for an id of the feed's.
pub fn not_the_feeds_order(order_id: Option<&OrderId>) -> Result<(), Problem> {
    if order_id.is_some_and(OrderId::is_feed) {
        let detail = "order ids that begin with binance- are the feed's";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    Ok(())
}

/// Nobody else acts for the feed.
///
/// # Errors
/// [`Code::Forbidden`] for a client of the feed's.
pub fn not_the_feeds_client(client: Option<&ClientId>) -> Result<(), Problem> {
    if client.is_some_and(ClientId::is_feed) {
        let detail = "client ids that begin with binance- are the feed's";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    Ok(())
}

/// The client that a request is made for: the one it names, or who asks where it names none.
///
/// # Errors
/// [`Code::Forbidden`] for a client of the feed's, or another than who asks may act for.
pub fn read_client(
    fields: &mut Fields,
    value: Option<&RawValue>,
    acts_for: &ActsFor,
) -> Result<Option<ClientId>, Problem> {
    if value.is_none()
        && let Some(own) = acts_for.unnamed()
    {
        return Ok(Some(own.clone()));
    }
    fields.required("client_id", value);
    let client = fields.text("client_id", value, ClientId::new);
    not_the_feeds_client(client.as_ref())?;
    if let Some(client) = &client {
        acts_for.check(client)?;
    }
    Ok(client)
}

fn one_key(
    in_body: Option<IdempotencyKey>,
    in_header: Option<&IdempotencyKey>,
) -> Result<Option<IdempotencyKey>, Problem> {
    match (in_body, in_header) {
        (Some(body), Some(header)) if body != *header => Err(Problem::new(
            Code::IdempotencyKeyConflict,
            "the body's idempotency_key and the header Idempotency-Key differ",
        )),
        (body, header) => Ok(body.or_else(|| header.cloned())),
    }
}

/// An id in the order of time.
fn exchange_id() -> Result<ChosenId, Problem> {
    OrderId::new(&Uuid::now_v7().to_string())
        .map(ChosenId::Exchange)
        .map_err(|error| Problem::new(Code::Internal, format!("the order's own id {error}")))
}

fn read_instrument<H>(
    fields: &mut Fields,
    value: Option<&RawValue>,
    find: impl FnOnce(&Symbol) -> Option<H>,
) -> Named<H> {
    match fields.text("instrument", value, Symbol::new) {
        None => Named::Nothing,
        Some(symbol) => find(&symbol).map_or_else(|| Named::Unknown(symbol), Named::Known),
    }
}

/// The instrument, if one was named. An unknown one is a problem of its own kind when nothing
/// else is wrong.
fn known<H>(named: Named<H>, fields: &mut Fields) -> Result<Option<H>, Problem> {
    match named {
        Named::Known(handle) => Ok(Some(handle)),
        Named::Nothing => Ok(None),
        Named::Unknown(symbol) if fields.is_empty() => Err(Problem::new(
            Code::UnknownInstrument,
            format!("there is no instrument {symbol}"),
        )),
        Named::Unknown(symbol) => {
            fields.wrong("instrument", format!("there is no instrument {symbol}"));
            Ok(None)
        }
    }
}

fn read_kind(
    fields: &mut Fields,
    request: &OrderRequest<'_>,
    rules: Option<&Instrument>,
) -> Option<OrderKind> {
    fields.required("type", request.r#type);
    let time_in_force = fields.word::<TimeInForce>("time_in_force", request.time_in_force);
    match fields.word::<OrderType>("type", request.r#type)? {
        OrderType::Limit => {
            fields.required("price", request.price);
            Some(OrderKind::Limit {
                price: read_price(fields, request.price, rules)?,
                time_in_force: time_in_force.unwrap_or_default(),
            })
        }
        OrderType::Market => {
            if request.price.is_some() {
                fields.wrong("price", "a market order has no price");
            }
            if time_in_force.is_some() {
                fields.wrong("time_in_force", "a market order has no time in force");
            }
            Some(OrderKind::Market)
        }
    }
}

fn read_price(
    fields: &mut Fields,
    value: Option<&RawValue>,
    rules: Option<&Instrument>,
) -> Option<Price> {
    match whole_units(value?, Measure::Price, rules?.tick, TICKS_MAX) {
        Ok(ticks) => Price::new(ticks),
        Err(error) => {
            fields.wrong("price", error);
            None
        }
    }
}

fn read_quantity(
    fields: &mut Fields,
    value: Option<&RawValue>,
    rules: Option<&Instrument>,
) -> Option<Quantity> {
    match whole_units(value?, Measure::Quantity, rules?.lot, LOTS_MAX) {
        Ok(lots) => Quantity::new(lots),
        Err(error) => {
            fields.wrong("quantity", error);
            None
        }
    }
}

#[cfg(test)]
mod tests;
