//! Placing, reading and changing orders.

use std::time::Instant;

use poem::http::HeaderMap;
use poem_openapi::param::{Path, Query};
use poem_openapi::{ApiResponse, OpenApi};
use serde::Deserialize;
use serde_json::value::RawValue;

use shardbook_engine::market_data::OrderFilter;
use shardbook_engine::order::OrderStatus;

use crate::access::Trader;
use crate::activity::ActivityLog;
use crate::calls::Tag;
use crate::documented::Failure;
use crate::metrics::Metrics;
use crate::parameter::{Limit, idempotency_key, no_idempotency_key};
use crate::payload::{BATCH_BYTES_MAX, JsonRequest, JsonResponse};
use crate::problem::Problem;
use crate::request::{Fields, Inner, OrderText, read_cancel_all, read_object};
use crate::schema::List;
use crate::schema::order::{
    AmendRequest, BATCH_ORDERS_MAX, BatchRequest, BatchResult, BatchView, CancelAllRequest,
    CancelAllView, OrderRequest, OrderView,
};
use crate::schema::text::{ClientIdText, Count, IdempotencyKeyText, OrderIdText, SymbolText};
use crate::schema::word::Word;
use crate::trading::{FirstTime, OrderList, Placement, Trading};

/// Most orders in one list.
const ORDERS_MAX: usize = 1_000;

type OrderBody = JsonRequest<OrderRequest<'static>>;
type BatchBody = JsonRequest<BatchRequest<'static>, BATCH_BYTES_MAX>;
type AmendBody = JsonRequest<AmendRequest<'static>>;
type CancelAllBody = JsonRequest<CancelAllRequest<'static>>;

failures! {
    PlaceFailures: MalformedJson, InvalidParameter, IdempotencyKeyConflict, PayloadTooLarge,
        UnsupportedMediaType, DuplicateOrderId, CommandRefused, InvalidOrder, UnknownInstrument,
        IdempotencyKeyReused, Overloaded, ShardRestarting, JournalUnavailable, DatabaseUnavailable;
    BatchFailures: MalformedJson, InvalidParameter, PayloadTooLarge, UnsupportedMediaType,
        InvalidOrder;
    ReadFailures: InvalidParameter, OrderNotFound, InstrumentNotFound, OrderIdAmbiguous,
        Overloaded, DatabaseUnavailable;
    ListFailures: InvalidParameter, InstrumentNotFound, OrderIdAmbiguous, Overloaded,
        DatabaseUnavailable;
    CancelFailures: InvalidParameter, OrderNotFound, InstrumentNotFound, OrderIdAmbiguous,
        OrderNotOpen, CommandRefused, Overloaded, ShardRestarting, JournalUnavailable,
        DatabaseUnavailable;
    AmendFailures: MalformedJson, InvalidParameter, OrderNotFound, InstrumentNotFound,
        PayloadTooLarge, UnsupportedMediaType, OrderIdAmbiguous, OrderNotOpen, InstrumentHalted,
        PriceOutsideBand, PostOnlyWouldCross, CommandRefused, InvalidOrder, Overloaded,
        ShardRestarting, JournalUnavailable, DatabaseUnavailable;
    CancelAllFailures: MalformedJson, PayloadTooLarge, UnsupportedMediaType, InvalidOrder,
        UnknownInstrument;
}

/// The calls about orders.
#[derive(Clone)]
pub struct Orders {
    trading: Trading,
    metrics: Metrics,
    log: ActivityLog,
}

/// A placed order.
#[derive(ApiResponse)]
enum Placed {
    /// The order as it stands right after matching, once it is durable; a well-formed order that
    /// the book refuses included, with status `rejected`.
    #[oai(status = 201)]
    Order(
        JsonResponse<OrderView>,
        /// Where the order is read.
        #[oai(header = "Location")]
        String,
        /// `true` if the same request came before and this is its first answer again.
        #[oai(header = "Idempotency-Replayed")]
        Option<String>,
    ),
}

/// What became of a batch.
#[derive(ApiResponse)]
enum Batch {
    /// What became of each order, in the order given.
    #[oai(status = 200)]
    Results(JsonResponse<BatchView>),
}

/// An order that was asked for.
#[derive(ApiResponse)]
enum Found {
    /// The order as it stands.
    #[oai(status = 200)]
    Order(JsonResponse<OrderView>),
}

/// Orders that were asked for.
#[derive(ApiResponse)]
enum Listed {
    /// The orders without their trades, newest first.
    #[oai(status = 200)]
    Orders(JsonResponse<List<OrderView, ORDERS_MAX>>),
}

/// What became of a mass cancel.
#[derive(ApiResponse)]
enum Cancelled {
    /// What it took away.
    #[oai(status = 200)]
    All(JsonResponse<CancelAllView>),
}

impl Orders {
    /// Calls that go to `trading`, are counted in `metrics` and, where they are refused, told of
    /// in `log`.
    #[must_use]
    pub const fn new(trading: Trading, metrics: Metrics, log: ActivityLog) -> Self {
        Self {
            trading,
            metrics,
            log,
        }
    }

    fn refused<F>(&self, call: &'static str, mut problem: Problem) -> Failure<F> {
        self.metrics.refused(&problem);
        self.log.refused(call, &mut problem);
        problem.into()
    }
}

#[OpenApi(tag = "Tag::Orders")]
impl Orders {
    /// Place an order
    ///
    /// Answered once the order is durable: an acknowledged order survives a crash and a power
    /// failure. With an idempotency key, in the body or in the header `Idempotency-Key`, sending
    /// the same request again gives the first answer again and trades nothing twice.
    #[oai(
        path = "/orders",
        method = "post",
        operation_id = "place_order",
        request_header(
            name = "Idempotency-Key",
            ty = "Option<IdempotencyKeyText>",
            description = "The order's idempotency key, unless it stands in the body."
        )
    )]
    async fn place(
        &self,
        by: Trader,
        headers: &HeaderMap,
        body: OrderBody,
    ) -> Result<Placed, Failure<PlaceFailures>> {
        let read = Instant::now();
        let placed = async {
            let key = idempotency_key(headers)?;
            let order = OrderText::Whole(body.text()?);
            self.trading.place(&by, order, key.as_ref()).await
        };
        let Placement {
            order,
            instrument,
            first_time,
        } = placed
            .await
            .map_err(|problem| self.refused("place", problem))?;
        let location = format!("/orders/{}", order.order_id.0);
        let replayed = (first_time == FirstTime::Replayed).then(|| "true".to_owned());
        self.metrics.order_answered(&instrument, read.elapsed());
        Ok(Placed::Order(JsonResponse(order), location, replayed))
    }

    /// Place many orders
    ///
    /// From 1 to 500. Not atomic: each order is answered for itself, as `POST /orders` would answer
    /// it, with `order` or with `problem`. Orders for one instrument are applied in the order
    /// given. Each has its own `idempotency_key`, in the body.
    #[oai(path = "/orders/batch", method = "post", operation_id = "place_orders")]
    async fn place_batch(
        &self,
        by: Trader,
        headers: &HeaderMap,
        body: BatchBody,
    ) -> Result<Batch, Failure<BatchFailures>> {
        let refused = |problem| self.refused("place_batch", problem);
        no_idempotency_key(headers).map_err(refused)?;
        let orders = body.text().and_then(read_batch).map_err(refused)?;
        // All are on their way before the first is waited for.
        let placing: Vec<_> = orders
            .into_iter()
            .map(|order| self.trading.place(&by, order, None))
            .collect();
        let mut results = Vec::with_capacity(placing.len());
        for placed in placing {
            results.push(batch_result(placed.await.map_err(|mut problem| {
                self.metrics.refused(&problem);
                self.log.refused("place", &mut problem);
                problem
            })));
        }
        Ok(Batch::Results(JsonResponse(BatchView {
            results: List(results),
        })))
    }

    /// Read orders, newest first
    ///
    /// Everything acknowledged before the request is shown, whether or not the database has it
    /// yet. To read on, send the last order's id as `before`: each order comes once, however many
    /// are placed or close meanwhile. Where the same id stands on several instruments, read each
    /// instrument's list.
    #[oai(path = "/orders", method = "get", operation_id = "get_orders")]
    async fn list(
        &self,
        by: Trader,
        /// Only this client's orders; everyone's if left out, with a trader's key its own
        /// client's.
        client_id: Query<Option<ClientIdText>>,
        /// Only orders on this instrument; on all of them if left out.
        instrument: Query<Option<SymbolText>>,
        /// Only orders with this status now.
        status: Query<Option<Word<OrderStatus>>>,
        /// How many orders at most.
        limit: Query<Option<Limit<50, 1000>>>,
        /// Only orders older than this one: the `order_id` of the last one read.
        before: Query<Option<OrderIdText>>,
    ) -> Result<Listed, Failure<ListFailures>> {
        let list = OrderList {
            filter: OrderFilter {
                client: client_id.0.map(|client| client.0),
                status: status.0.map(|status| status.0),
            },
            instrument: instrument.0.map(|symbol| symbol.0),
            before: before.0.map(|id| id.0),
            limit: Limit::get(limit.0),
        };
        let orders = self.trading.orders(&by, list).await?;
        Ok(Listed::Orders(JsonResponse(List(orders))))
    }

    /// Read an order
    ///
    /// As it stands now, open or final, with the newest 1,000 of its trades. Of orders long closed,
    /// and of trades that closed ones had long ago, the database tells; while that is down or
    /// behind, 503 and not 404 says that it can't be known.
    #[oai(path = "/orders/:order_id", method = "get", operation_id = "get_order")]
    async fn get(
        &self,
        by: Trader,
        /// The order's id: its client's own, or the one it was answered with.
        order_id: Path<OrderIdText>,
        /// The order's instrument; needed only where several have an order with this id.
        instrument: Query<Option<SymbolText>>,
    ) -> Result<Found, Failure<ReadFailures>> {
        let instrument = instrument.0.map(|symbol| symbol.0);
        let order = self
            .trading
            .order(&by, &order_id.0.0, instrument.as_ref())
            .await?;
        Ok(Found::Order(JsonResponse(order)))
    }

    /// Cancel an order
    ///
    /// What has been filled stays filled. Cancelling a cancelled order again gives the same answer;
    /// one that is filled or rejected is 409 `order_not_open`, with the order in `order`.
    #[oai(
        path = "/orders/:order_id/cancel",
        method = "post",
        operation_id = "cancel_order"
    )]
    async fn cancel(
        &self,
        by: Trader,
        /// The order's id: its client's own, or the one it was answered with.
        order_id: Path<OrderIdText>,
        /// The order's instrument; needed only where several have an order with this id.
        instrument: Query<Option<SymbolText>>,
    ) -> Result<Found, Failure<CancelFailures>> {
        let instrument = instrument.0.map(|symbol| symbol.0);
        let cancelled = self
            .trading
            .cancel(&by, order_id.0.0, instrument.as_ref())
            .await;
        let order = cancelled.map_err(|problem| self.refused("cancel", problem))?;
        Ok(Found::Order(JsonResponse(order)))
    }

    /// Change an order's price or quantity
    ///
    /// `quantity` is the new total, what is filled included. The same or less quantity at the same
    /// price keeps the order's place in the queue; anything else loses it and may trade at once,
    /// and `trades` has what it traded. A change that is refused (409, 422) leaves the order as
    /// it was.
    #[oai(
        path = "/orders/:order_id",
        method = "patch",
        operation_id = "amend_order"
    )]
    async fn amend(
        &self,
        by: Trader,
        /// The order's id: its client's own, or the one it was answered with.
        order_id: Path<OrderIdText>,
        /// The order's instrument; needed only where several have an order with this id.
        instrument: Query<Option<SymbolText>>,
        body: AmendBody,
    ) -> Result<Found, Failure<AmendFailures>> {
        let instrument = instrument.0.map(|symbol| symbol.0);
        let amended = async {
            let text = body.text()?;
            self.trading
                .amend(&by, order_id.0.0, instrument.as_ref(), text)
                .await
        };
        let order = amended
            .await
            .map_err(|problem| self.refused("amend", problem))?;
        Ok(Found::Order(JsonResponse(order)))
    }

    /// Cancel all of a client's orders
    ///
    /// On every instrument, or on one, or on one side. Not atomic: each instrument acts for itself,
    /// in steps of at most 1,000 orders, and those that could not are named in `failed`.
    #[oai(
        path = "/orders/cancel-all",
        method = "post",
        operation_id = "cancel_all_orders"
    )]
    async fn cancel_all(
        &self,
        by: Trader,
        body: CancelAllBody,
    ) -> Result<Cancelled, Failure<CancelAllFailures>> {
        let request = body.text().and_then(|text| {
            read_cancel_all(text, by.acts_for(), |symbol| {
                self.trading.router().instrument(symbol.as_str())
            })
        });
        let cancelled = async { self.trading.cancel_all(&by, request?).await };
        let cancelled = cancelled
            .await
            .map_err(|problem| self.refused("cancel_all", problem))?;
        Ok(Cancelled::All(JsonResponse(cancelled)))
    }
}

/// A batch whose orders are taken apart with it.
#[derive(Deserialize)]
struct WholeBatch<'a> {
    #[serde(borrow)]
    orders: Vec<Inner<OrderRequest<'a>>>,
}

/// A batch's orders.
fn read_batch(text: &str) -> Result<Vec<OrderText<'_>>, Problem> {
    if let Ok(Inner(WholeBatch { orders })) = serde_json::from_str(text)
        && (1..=BATCH_ORDERS_MAX).contains(&orders.len())
    {
        return Ok(orders.into_iter().map(OrderText::from).collect());
    }
    // Something is wrong somewhere. What it is, and with which order, the texts tell.
    let request: BatchRequest<'_> = read_object(text)?;
    let mut fields = Fields::default();
    fields.required("orders", request.orders);
    let orders = request
        .orders
        .and_then(|orders| serde_json::from_str::<Vec<&RawValue>>(orders.get()).ok());
    match orders {
        Some(orders) if (1..=BATCH_ORDERS_MAX).contains(&orders.len()) => {
            Ok(orders.into_iter().map(OrderText::from).collect())
        }
        Some(_) | None => {
            if request.orders.is_some() {
                let message = format!("must be an array of 1 to {BATCH_ORDERS_MAX} orders");
                fields.wrong("orders", message);
            }
            Err(fields.into_problem())
        }
    }
}

fn batch_result(placed: Result<Placement, Problem>) -> BatchResult {
    match placed {
        Ok(Placement {
            order, first_time, ..
        }) => BatchResult {
            status: Count(201),
            order: Some(Box::new(order)),
            problem: None,
            replayed: (first_time == FirstTime::Replayed).then_some(true),
        },
        Err(problem) => BatchResult {
            status: Count(u64::from(problem.status().as_u16())),
            order: None,
            problem: Some(Box::new(problem.view())),
            replayed: None,
        },
    }
}
