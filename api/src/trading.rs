//! What a client can do with orders, whatever it says it over.
//!
//! Each call takes whoever asks, as one who may trade, and acts for that one's client only: another's
//! order is not found. Each call sends its command before it returns the future that waits for the outcome, so that
//! who makes several in a row has them decided in that row.

mod cancel_all;
mod find;
mod list;

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use tokio::sync::oneshot;

use shardbook_engine::answer::{Answer, FirstAnswer, Refusal};
use shardbook_engine::command::{Amend, Cancel, Command};
use shardbook_engine::id::{ClientId, IdempotencyKey, OrderId, Symbol, TradeNumber};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::order::{Order, OrderState, OrderWithTrades, TRADES_SHOWN_MAX};
use shardbook_engine::responder::{CallError, Outcome, Responder};
use shardbook_engine::router::{InstrumentHandle, Router};

pub use self::list::OrderList;

use crate::access::Trader;
use crate::archive::Archive;
use crate::problem::{Code, Problem};
use crate::request::{
    Listed, OrderText, PlaceRequest, not_the_feeds_order, read_amend, read_amend_request,
    read_order,
};
use crate::schema::order::OrderView;

/// How often a cancel or an amend is sent again when its order closed and a new one took its id
/// in the time between.
const TRIES_MAX: usize = 3;

impl Listed for Arc<InstrumentHandle> {
    fn rules(&self) -> &Instrument {
        self.instrument()
    }
}

/// The way to the books for those who trade.
#[derive(Clone)]
pub struct Trading {
    router: Arc<Router>,
    archive: Archive,
}

/// What became of a placement.
#[derive(Clone, Debug)]
pub struct Placement {
    /// The order as it stood right after matching.
    pub order: OrderView,
    /// What it trades.
    pub instrument: Arc<Instrument>,
    /// Whether the same request came before and this is its first answer.
    pub first_time: FirstTime,
}

impl Placement {
    fn new(order: &OrderWithTrades, instrument: Arc<Instrument>, first_time: FirstTime) -> Self {
        Self {
            order: OrderView::with_trades(order, &instrument),
            instrument,
            first_time,
        }
    }
}

/// Whether an answer is given for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstTime {
    /// It is.
    Yes,
    /// The same request came before, with the same idempotency key.
    Replayed,
}

/// A placement that was sent: all that is needed to answer it once its outcome is there.
#[derive(Clone)]
pub struct Placing {
    to: Arc<InstrumentHandle>,
    order_id: OrderId,
    client: ClientId,
}

/// What an outcome makes of a placement.
#[expect(
    clippy::large_enum_variant,
    reason = "looked at where it is made, and hardly ever the small one"
)]
pub enum Placed {
    /// Its answer, or why it has none.
    Now(Result<Placement, Problem>),
    /// It was placed before, and its trades have to be looked up.
    Before(BoxFuture<'static, Result<Placement, Problem>>),
}

/// An order's command on its way, or why there is none.
enum Begun {
    /// Sent; the outcome comes by the receiver.
    Sent(Arc<InstrumentHandle>, oneshot::Receiver<Outcome>),
    /// No instrument's memory knows the order.
    NotInMemory,
}

impl Trading {
    /// Trades on the router's instruments; what memory does not have is looked up.
    #[must_use]
    pub const fn new(router: Arc<Router>, archive: Archive) -> Self {
        Self { router, archive }
    }

    /// The instruments and their shards.
    #[must_use]
    pub const fn router(&self) -> &Arc<Router> {
        &self.router
    }

    /// What memory does not have.
    #[must_use]
    pub const fn archive(&self) -> &Archive {
        &self.archive
    }

    /// The instrument that a query parameter names, or the first one.
    ///
    /// # Errors
    /// [`Code::InstrumentNotFound`].
    pub fn instrument(&self, symbol: Option<&Symbol>) -> Result<Arc<InstrumentHandle>, Problem> {
        let found = match symbol {
            Some(symbol) => self.router.instrument(symbol.as_str()),
            None => self.router.first_instrument(),
        };
        found.ok_or_else(|| {
            let symbol = symbol.map_or("", Symbol::as_str);
            let detail = format!("there is no instrument {symbol}");
            Problem::new(Code::InstrumentNotFound, detail)
        })
    }

    /// Places the order that stands in `order`.
    ///
    /// # Errors
    /// When it is no valid order, or the shard does not take it.
    pub fn place(
        &self,
        by: &Trader,
        order: OrderText<'_>,
        header_key: Option<&IdempotencyKey>,
    ) -> impl Future<Output = Result<Placement, Problem>> + Send + use<> {
        let (responder, outcome) = Responder::single();
        let begun = self.begin_placing(by, order, header_key, || responder);
        let sent = begun.map(|placing| (self.clone(), placing));
        async move {
            let (this, placing) = sent?;
            match this.placed(placing, received(outcome).await) {
                Placed::Now(placed) => placed,
                Placed::Before(placed) => placed.await,
            }
        }
    }

    /// Sends the order that stands in `order`. Its outcome goes to `responder`, which is asked for
    /// once the order is known to be valid, and is what [`Self::placed`] makes an answer of.
    ///
    /// # Errors
    /// When it is no valid order, or the shard does not take it; then the responder says nothing.
    pub fn begin_placing(
        &self,
        by: &Trader,
        order: OrderText<'_>,
        header_key: Option<&IdempotencyKey>,
        responder: impl FnOnce() -> Responder,
    ) -> Result<Placing, Problem> {
        let find = |symbol: &Symbol| self.router.instrument(symbol.as_str());
        let paid = by.meter().charge_order();
        let read = paid.and_then(|()| read_order(order, by.acts_for(), header_key, find));
        let sent = read.and_then(|PlaceRequest { to, order }| {
            by.meter().charge_client(&order.client)?;
            let (order_id, client) = (order.id.id().clone(), order.client.clone());
            self.router
                .submit(&to, Command::Place(order), responder())
                .map_err(|error| Problem::of_call(error, to.instrument()))?;
            Ok(Placing {
                to,
                order_id,
                client,
            })
        });
        sent.map_err(|problem: Problem| problem.about_order_in(order))
    }

    /// What its outcome makes of a placement.
    #[must_use]
    pub fn placed(&self, placing: Placing, outcome: Outcome) -> Placed {
        let Placing {
            to,
            order_id,
            client,
        } = placing;
        let instrument = Arc::clone(to.instrument());
        let placed = match outcome {
            Ok(Answer::Placed(order)) => Ok(Placement::new(&order, instrument, FirstTime::Yes)),
            Ok(Answer::Replayed(first)) => {
                let in_memory = to.market_data().read().replayed(&first);
                match in_memory {
                    Some(order) => Ok(Placement::new(&order, instrument, FirstTime::Replayed)),
                    None => {
                        let this = self.clone();
                        let looked_up = async move {
                            let order = this.replayed_from_archive(&instrument, &first).await;
                            let order = order
                                .map_err(|problem| problem.about_order(&order_id, Some(&client)))?;
                            Ok(Placement::new(&order, instrument, FirstTime::Replayed))
                        };
                        return Placed::Before(looked_up.boxed());
                    }
                }
            }
            Ok(answer) => Err(unfitting(&answer)),
            Err(error) => Err(Problem::of_call(error, &instrument)),
        };
        Placed::Now(placed.map_err(|problem| problem.about_order(&order_id, Some(&client))))
    }

    async fn replayed_from_archive(
        &self,
        instrument: &Arc<Instrument>,
        first: &FirstAnswer,
    ) -> Result<OrderWithTrades, Problem> {
        let count = usize::try_from(first.order.trade_count).unwrap_or(usize::MAX);
        let shown = count.min(TRADES_SHOWN_MAX);
        let skipped = u64::try_from(count - shown).unwrap_or(u64::MAX);
        let from = TradeNumber::new(first.first_trade.get() + skipped);
        let trades = self
            .archive
            .trades_numbered(instrument, from, shown, first.order.updated)
            .await?;
        Ok(OrderWithTrades {
            order: Order::clone(&first.order),
            trades,
        })
    }

    /// Takes an order off its book.
    ///
    /// # Errors
    /// When there is no such order, or it is in a final state other than cancelled.
    pub fn cancel(
        &self,
        by: &Trader,
        order_id: OrderId,
        instrument: Option<&Symbol>,
    ) -> impl Future<Output = Result<OrderView, Problem>> + Send + use<> {
        let cancel = Cancel {
            order_id: order_id.clone(),
            requester: by.requester(),
        };
        let begun = not_the_feeds_order(Some(&order_id))
            .and_then(|()| self.named(instrument))
            .and_then(|named| {
                self.begin(by, &order_id, named, |_| {
                    Ok(Command::Cancel(cancel.clone()))
                })
            });
        let (this, by) = (self.clone(), by.clone());
        let named = instrument.cloned();
        let asked_for = order_id.clone();
        let client = by.acts_for().unnamed().cloned();
        let cancelled = async move {
            let mut begun = begun?;
            for _ in 0..TRIES_MAX {
                let closed = match begun {
                    Begun::Sent(on, outcome) => match received(outcome).await {
                        Ok(Answer::Cancelled(order)) => {
                            return Ok(OrderView::new(&order, on.instrument()));
                        }
                        Ok(answer) => return Err(unfitting(&answer)),
                        Err(CallError::Refused(Refusal::OrderNotOpen)) => {
                            this.closed(&by, &order_id, Some(&on)).await?
                        }
                        Err(error) => return Err(Problem::of_call(error, on.instrument())),
                    },
                    Begun::NotInMemory => this.closed(&by, &order_id, None).await?,
                };
                if let Some((instrument, order)) = closed {
                    return cancelled_before(&order, &instrument);
                }
                let command = Command::Cancel(cancel.clone());
                let named = this.named(named.as_ref())?;
                begun = this.begin(&by, &order_id, named, |_| Ok(command))?;
            }
            Err(restless(&order_id))
        };
        cancelled.map_err(move |problem: Problem| problem.about_order(&asked_for, client.as_ref()))
    }

    /// Changes a resting order as `text` says.
    ///
    /// # Errors
    /// When there is no such order, it is not open, or the change is refused.
    pub fn amend(
        &self,
        by: &Trader,
        order_id: OrderId,
        instrument: Option<&Symbol>,
        text: &str,
    ) -> impl Future<Output = Result<OrderView, Problem>> + Send + use<> {
        let begun = not_the_feeds_order(Some(&order_id))
            .and_then(|()| read_amend_request(text))
            .and_then(|request| {
                let named = self.named(instrument)?;
                self.begin(by, &order_id, named, |instrument| {
                    Ok(Command::Amend(Amend {
                        order_id: order_id.clone(),
                        requester: by.requester(),
                        change: read_amend(&request, instrument)?,
                    }))
                })
            });
        let (this, by) = (self.clone(), by.clone());
        let asked_for = order_id.clone();
        let client = by.acts_for().unnamed().cloned();
        let amended = async move {
            let closed = match begun? {
                Begun::Sent(on, outcome) => match received(outcome).await {
                    Ok(Answer::Amended(order)) => {
                        return Ok(OrderView::with_trades(&order, on.instrument()));
                    }
                    Ok(answer) => return Err(unfitting(&answer)),
                    Err(CallError::Refused(Refusal::OrderNotOpen)) => {
                        this.closed(&by, &order_id, Some(&on)).await?
                    }
                    Err(error) => return Err(Problem::of_call(error, on.instrument())),
                },
                Begun::NotInMemory => this.closed(&by, &order_id, None).await?,
            };
            let Some((instrument, order)) = closed else {
                return Err(restless(&order_id));
            };
            let view = OrderView::new(&order, &instrument);
            Err(Problem::order_not_open(view))
        };
        amended.map_err(move |problem| problem.about_order(&asked_for, client.as_ref()))
    }

    fn send(
        &self,
        to: &InstrumentHandle,
        command: Command,
    ) -> Result<oneshot::Receiver<Outcome>, Problem> {
        let (responder, outcome) = Responder::single();
        self.router
            .submit(to, command, responder)
            .map_err(|error| Problem::of_call(error, to.instrument()))?;
        Ok(outcome)
    }

    fn begin(
        &self,
        by: &Trader,
        order_id: &OrderId,
        named: Option<Arc<InstrumentHandle>>,
        command: impl FnOnce(&Instrument) -> Result<Command, Problem>,
    ) -> Result<Begun, Problem> {
        let on = match named {
            Some(on) => Some(on),
            None => self.locate(by, order_id)?,
        };
        let Some(on) = on else {
            return Ok(Begun::NotInMemory);
        };
        let outcome = self.send(&on, command(on.instrument())?)?;
        Ok(Begun::Sent(on, outcome))
    }
}

async fn received(outcome: oneshot::Receiver<Outcome>) -> Outcome {
    outcome.await.unwrap_or(Err(CallError::ShardRestarting))
}

fn cancelled_before(order: &Order, instrument: &Instrument) -> Result<OrderView, Problem> {
    let view = OrderView::new(order, instrument);
    match order.state {
        OrderState::Cancelled(_) => Ok(view),
        OrderState::Resting | OrderState::Filled | OrderState::Rejected(_) => {
            Err(Problem::order_not_open(view))
        }
    }
}

/// The id changes hands faster than it can be asked for.
fn restless(order_id: &OrderId) -> Problem {
    let detail = format!("{order_id} was closed and placed anew meanwhile; try again");
    Problem::new(Code::Overloaded, detail)
}

/// An answer that does not belong to its command: a bug of the shard's.
fn unfitting(answer: &Answer) -> Problem {
    tracing::error!(
        ?answer,
        "a shard gave an answer that does not fit its command"
    );
    Problem::new(
        Code::Internal,
        "the exchange gave an answer that does not fit",
    )
}
