//! What a client can ask for on a WebSocket.
//!
//! Each operation is begun as soon as it is read, which puts its command into its shard's queue;
//! so one connection's operations on one instrument are applied in the order sent, while all of
//! them wait for their outcomes at once.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use shardbook_engine::id::Symbol;
use shardbook_engine::router::InstrumentHandle;

use crate::access::{Caller, Trader};
use crate::problem::{Code, Problem};
use crate::request::{Fields, read_client};
use crate::schema::operation::OperationName;
use crate::schema::word::Worded;
use crate::stream::channel::Channel;
use crate::stream::subscription::OrdersOf;
use crate::stream::websocket::Shared;
use crate::stream::websocket::disconnect::CancelOnDisconnect;
use crate::stream::websocket::frame::{
    Frame, json_text, placed_order, read_channels, read_instruments, read_order_id, read_pace,
};
use crate::stream::websocket::placements::Placements;
use crate::stream::websocket::reply::{self, OperationId};
use crate::stream::websocket::subscriptions::Subscriptions;

/// Who is at the other end.
pub(super) struct Identity {
    caller: Caller,
    /// As one who trades, or why it does not.
    trader: Result<Trader, Problem>,
}

impl Identity {
    pub(super) fn new(caller: Caller) -> Self {
        let trader = caller.clone().trader();
        Self { caller, trader }
    }

    pub(super) const fn caller(&self) -> &Caller {
        &self.caller
    }

    fn trader(&self) -> Result<&Trader, Problem> {
        self.trader.as_ref().map_err(Problem::clone)
    }
}

/// What became of reading an operation.
pub(super) enum Begun {
    /// It is done, and this is its answer.
    Done(Utf8Bytes),
    /// It is under way, and its answer will come.
    UnderWay(BoxFuture<'static, Utf8Bytes>),
    /// An order was sent, and waits among the connection's [`Placements`].
    Placed,
}

/// One connection's way into the exchange.
pub(super) struct Operations {
    pub(super) shared: Shared,
    /// `None` until a key is shown, where keys are asked for.
    pub(super) identity: Option<Identity>,
    pub(super) subscriptions: Subscriptions,
    pub(super) on_disconnect: CancelOnDisconnect,
    pub(super) placements: Placements,
}

impl Operations {
    /// Begins what a frame asks for.
    pub(super) fn begin(&mut self, frame: &str) -> Begun {
        let read = Instant::now();
        let fields = match Frame::read(frame) {
            Ok(fields) => fields,
            Err(problem) => return Begun::Done(reply::failed(&OperationId::UNKNOWN, &problem)),
        };
        let id = OperationId::new(fields.id);
        let begun = self.carry_out(&id, &fields, frame, read);
        begun.unwrap_or_else(|mut problem| {
            let op = json_text(fields.op);
            let about_orders = ["place", "cancel", "amend"];
            let call = about_orders
                .into_iter()
                .find(|call| op.as_deref() == Some(*call));
            if let Some(call) = call {
                self.shared.refused(call, &mut problem);
            }
            Begun::Done(reply::failed(&id, &problem))
        })
    }

    fn carry_out(
        &mut self,
        id: &OperationId,
        fields: &Frame<'_>,
        frame: &str,
        read: Instant,
    ) -> Result<Begun, Problem> {
        let op = json_text(fields.op).and_then(|op| OperationName::from_word(&op));
        if op == Some(OperationName::Auth) {
            return self.auth(id, fields).map(Begun::Done);
        }
        let identity = self.identity.as_ref().ok_or_else(no_key_yet)?;
        identity.caller.meter().charge_call()?;
        match op {
            Some(OperationName::Place) => {
                let order = placed_order(fields)?;
                let (by, trading) = (identity.trader()?, &self.shared.trading);
                self.placements.place(trading, by, order, id, read)?;
                Ok(Begun::Placed)
            }
            Some(OperationName::Cancel) => self.cancel(identity.trader()?, id, fields),
            Some(OperationName::Amend) => self.amend(identity.trader()?, id, fields, frame),
            Some(OperationName::Subscribe) => self.subscribe(id, fields).map(Begun::Done),
            Some(OperationName::Unsubscribe) => self.unsubscribe(id, fields).map(Begun::Done),
            Some(OperationName::CancelOnDisconnect) => {
                self.cancel_on_disconnect(id, fields).map(Begun::Done)
            }
            Some(OperationName::Ping) => Ok(Begun::Done(reply::done(id))),
            // `auth` was answered above.
            Some(OperationName::Auth) | None => {
                let message = format!("must be one of {}", OperationName::choices());
                Err(Problem::parameter("op", message))
            }
        }
    }

    /// A connection is one caller's for good: what it is subscribed to and what its end cancels
    /// are that caller's.
    fn auth(&mut self, id: &OperationId, frame: &Frame<'_>) -> Result<Utf8Bytes, Problem> {
        let key_of = |identity: &Identity| identity.caller.key().map(|key| key.id());
        let known = self.identity.as_ref().map(key_of);
        // Without keys everyone may do everything already.
        if known == Some(None) {
            return Ok(reply::done(id));
        }
        let mut fields = Fields::default();
        fields.required("key", frame.key);
        let secret = fields.text("key", frame.key, |text| {
            Ok::<_, Infallible>(text.to_owned())
        });
        let secret = secret.ok_or_else(|| fields.into_problem())?;
        let identity = Identity::new(self.shared.access.authenticate(&secret)?);
        match known {
            Some(known) if known != key_of(&identity) => {
                let detail = "the connection is another key's; open one for this key";
                Err(Problem::new(Code::Forbidden, detail))
            }
            Some(_) => Ok(reply::done(id)),
            None => {
                self.identity = Some(identity);
                Ok(reply::done(id))
            }
        }
    }

    fn cancel(&self, by: &Trader, id: &OperationId, frame: &Frame<'_>) -> Result<Begun, Problem> {
        let (order_id, instrument) = read_order_id(frame)?;
        let cancelling = self
            .shared
            .trading
            .cancel(by, order_id, instrument.as_ref());
        let (id, shared) = (id.clone(), self.shared.clone());
        let answer = cancelling.map(move |cancelled| match cancelled {
            Ok(order) => reply::changed(&id, order),
            Err(mut problem) => {
                shared.refused("cancel", &mut problem);
                reply::failed(&id, &problem)
            }
        });
        Ok(Begun::UnderWay(answer.boxed()))
    }

    fn amend(
        &self,
        by: &Trader,
        id: &OperationId,
        frame: &Frame<'_>,
        text: &str,
    ) -> Result<Begun, Problem> {
        let (order_id, instrument) = read_order_id(frame)?;
        let trading = &self.shared.trading;
        let amending = trading.amend(by, order_id, instrument.as_ref(), text);
        let (id, shared) = (id.clone(), self.shared.clone());
        let answer = amending.map(move |amended| match amended {
            Ok(order) => reply::changed(&id, order),
            Err(mut problem) => {
                shared.refused("amend", &mut problem);
                reply::failed(&id, &problem)
            }
        });
        Ok(Begun::UnderWay(answer.boxed()))
    }

    fn trader(&self) -> Result<&Trader, Problem> {
        let identity = self.identity.as_ref().ok_or_else(no_key_yet)?;
        identity.trader()
    }

    fn subscribe(&mut self, id: &OperationId, frame: &Frame<'_>) -> Result<Utf8Bytes, Problem> {
        let channels = read_channels(frame)?.ok_or_else(|| {
            let message = format!("must be some of {}", Channel::choices());
            Problem::parameter("channels", message)
        })?;
        let pace = read_pace(frame)?;
        let orders_of = if channels.contains(Channel::Orders) {
            OrdersOf::visible_to(self.trader()?)
        } else {
            OrdersOf::Everyone
        };
        let instruments = match read_instruments(frame)? {
            Some(symbols) => symbols
                .iter()
                .map(|symbol| self.shared.trading.instrument(Some(symbol)))
                .collect::<Result<Vec<_>, _>>()?,
            None => vec![self.shared.trading.instrument(None)?],
        };
        let seats = self.subscriptions.seats(instruments.len())?;
        for (on, seat) in instruments.iter().zip(seats) {
            self.subscriptions
                .add(seat, on, channels, pace, orders_of.clone());
        }
        let symbols = instruments.iter().map(symbol_of);
        Ok(reply::subscribed(id, channels, symbols))
    }

    /// Left out, `channels` and `instruments` mean all.
    fn unsubscribe(&mut self, id: &OperationId, frame: &Frame<'_>) -> Result<Utf8Bytes, Problem> {
        let channels = read_channels(frame)?.unwrap_or_else(|| Channel::ALL.into_iter().collect());
        let instruments = match read_instruments(frame)? {
            Some(symbols) => symbols
                .iter()
                .map(|symbol| {
                    let on = self.shared.trading.instrument(Some(symbol))?;
                    Ok((on.instrument().id, on.instrument().symbol.clone()))
                })
                .collect::<Result<Vec<_>, Problem>>()?,
            None => self.subscriptions.instruments(),
        };
        for (instrument, _) in &instruments {
            for channel in channels.iter() {
                self.subscriptions.remove(*instrument, channel);
            }
        }
        let symbols = instruments.iter().map(|(_, symbol)| symbol);
        Ok(reply::subscribed(id, channels, symbols))
    }

    fn cancel_on_disconnect(
        &mut self,
        id: &OperationId,
        frame: &Frame<'_>,
    ) -> Result<Utf8Bytes, Problem> {
        let by = self.trader()?;
        let mut fields = Fields::default();
        let client = read_client(&mut fields, frame.client_id, by.acts_for())?;
        fields.required("enabled", frame.enabled);
        let enabled = frame.enabled.map(|value| value.get().parse::<bool>());
        if let Some(Err(_)) = enabled {
            fields.wrong("enabled", "must be true or false");
        }
        let (Some(client), Some(Ok(enabled))) = (client, enabled) else {
            return Err(fields.into_problem());
        };
        by.meter().charge_client(&client)?;
        let answer = reply::on_disconnect(id, &client, enabled);
        if enabled {
            self.on_disconnect.enable(client);
        } else {
            self.on_disconnect.disable(&client);
        }
        Ok(answer)
    }
}

fn no_key_yet() -> Problem {
    let detail = "this needs a key: send {\"op\": \"auth\", \"key\": \"…\"} first";
    Problem::new(Code::Unauthenticated, detail)
}

fn symbol_of(handle: &Arc<InstrumentHandle>) -> &Symbol {
    &handle.instrument().symbol
}
