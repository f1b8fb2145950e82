//! Books as they stood, in the database.

use std::sync::Arc;

use poem_openapi::param::{Path, Query};
use poem_openapi::{ApiResponse, OpenApi};

use shardbook_engine::id::Symbol;
use shardbook_engine::router::InstrumentHandle;
use shardbook_storage::snapshot::Snapshots;

use crate::access::Admin;
use crate::calls::Tag;
use crate::documented::Failure;
use crate::parameter::Limit;
use crate::payload::{JsonResponse, OptionalJsonRequest};
use crate::problem::{Code, Problem};
use crate::request::{Fields, read_object};
use crate::schema::List;
use crate::schema::snapshot::{SnapshotRequest, SnapshotView, WholeSnapshotView};
use crate::schema::text::SymbolText;
use crate::trading::Trading;

failures! {
    TakeFailures: MalformedJson, PayloadTooLarge, UnsupportedMediaType, InvalidOrder,
        UnknownInstrument, DatabaseUnavailable;
    ListFailures: InvalidParameter, InstrumentNotFound, Overloaded, DatabaseUnavailable;
    ReadFailures: NotFound, Overloaded, DatabaseUnavailable;
}

/// Most snapshots in one answer.
const SNAPSHOTS_MAX: usize = 1_000;

/// The calls that take and read snapshots.
#[derive(Clone)]
pub struct SnapshotCalls {
    trading: Trading,
    snapshots: Snapshots,
}

#[derive(ApiResponse)]
enum Taken {
    /// The snapshots, once they are in the database.
    #[oai(status = 201)]
    Snapshots(JsonResponse<Vec<SnapshotView>>),
}

#[derive(ApiResponse)]
enum Listed {
    /// The snapshots, newest first.
    #[oai(status = 200)]
    Snapshots(JsonResponse<List<SnapshotView, SNAPSHOTS_MAX>>),
}

#[derive(ApiResponse)]
enum Read {
    /// The snapshot.
    #[oai(status = 200)]
    Snapshot(JsonResponse<WholeSnapshotView>),
}

impl SnapshotCalls {
    /// Calls that have `snapshots` taken of what `trading` trades.
    #[must_use]
    pub const fn new(trading: Trading, snapshots: Snapshots) -> Self {
        Self { trading, snapshots }
    }

    fn books(&self, symbol: Option<Symbol>) -> Result<Vec<Arc<InstrumentHandle>>, Problem> {
        let router = self.trading.router();
        let Some(symbol) = symbol else {
            return Ok(router.instruments());
        };
        let book = router.instrument(symbol.as_str()).ok_or_else(|| {
            let detail = format!("there is no instrument {symbol}");
            Problem::new(Code::UnknownInstrument, detail)
        })?;
        Ok(vec![book])
    }
}

#[OpenApi(tag = "Tag::Administration")]
impl SnapshotCalls {
    /// Take snapshots of books
    ///
    /// Each is of one moment, and is written once the database holds everything that happened
    /// before. The database keeps the newest of each instrument, as many as the setting
    /// `snapshots_kept` says. Without a body, all instruments' are taken.
    #[oai(
        path = "/admin/snapshots",
        method = "post",
        operation_id = "take_snapshots"
    )]
    async fn take(
        &self,
        _by: Admin,
        body: OptionalJsonRequest<SnapshotRequest<'static>>,
    ) -> Result<Taken, Failure<TakeFailures>> {
        let symbol = body.text().and_then(read_symbol)?;
        let mut views = Vec::new();
        for book in self.books(symbol)? {
            let head = self.snapshots.take(&book).await.map_err(|error| {
                let symbol = &book.instrument().symbol;
                tracing::warn!(%symbol, %error, "no snapshot was taken");
                let detail = format!("{symbol}: {error}");
                Problem::new(Code::DatabaseUnavailable, detail)
            })?;
            views.push(SnapshotView::new(&head));
        }
        Ok(Taken::Snapshots(JsonResponse(views)))
    }

    /// Read which snapshots there are, newest first
    ///
    /// Those taken by call and those that the exchange takes by itself each hour.
    #[oai(
        path = "/admin/snapshots",
        method = "get",
        operation_id = "list_snapshots"
    )]
    async fn list(
        &self,
        _by: Admin,
        /// Whose; every instrument's if left out.
        instrument: Query<Option<SymbolText>>,
        /// How many at most.
        limit: Query<Option<Limit<50, 1000>>>,
    ) -> Result<Listed, Failure<ListFailures>> {
        let of = match &instrument.0 {
            Some(symbol) => Some(self.trading.instrument(Some(&symbol.0))?),
            None => None,
        };
        let of = of.as_ref().map(|book| &**book.instrument());
        let limit = Limit::get(limit.0);
        let heads = self.trading.archive().snapshots(of, limit).await?;
        let views = heads.iter().map(SnapshotView::new).collect();
        Ok(Listed::Snapshots(JsonResponse(List(views))))
    }

    /// Read a snapshot
    ///
    /// The whole book as it stood, levels as `GET /orderbook` shows them, and every resting order.
    #[oai(
        path = "/admin/snapshots/:id",
        method = "get",
        operation_id = "get_snapshot"
    )]
    async fn read(
        &self,
        _by: Admin,
        /// Its `snapshot_id`.
        id: Path<String>,
    ) -> Result<Read, Failure<ReadFailures>> {
        let nothing = || Problem::new(Code::NotFound, "there is no such snapshot");
        let id = id.0.parse().map_err(|_| nothing())?;
        let resolve = |symbol: &str| {
            let book = self.trading.router().instrument(symbol)?;
            Some(Arc::clone(book.instrument()))
        };
        let found = self.trading.archive().snapshot(id, resolve).await?;
        let snapshot = found.ok_or_else(nothing)?;
        let view = WholeSnapshotView::new(&snapshot);
        Ok(Read::Snapshot(JsonResponse(view)))
    }
}

fn read_symbol(text: &str) -> Result<Option<Symbol>, Problem> {
    let request: SnapshotRequest<'_> = read_object(text)?;
    let mut fields = Fields::default();
    let symbol = fields.text("instrument", request.instrument, Symbol::new);
    if fields.is_empty() {
        Ok(symbol)
    } else {
        Err(fields.into_problem())
    }
}
