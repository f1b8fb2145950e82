//! What each client's trades of a day come to.

use std::sync::Arc;

use poem::http::HeaderMap;
use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, OpenApi};

use shardbook_engine::id::ClientId;
use shardbook_engine::time::Day;
use shardbook_storage::settlement::{Settled, Settlement};

use crate::access::{Admin, Trader};
use crate::calls::Tag;
use crate::clearing::Clearing;
use crate::documented::Failure;
use crate::payload::{CsvRow, Form, JsonOrCsv, JsonRequest, JsonResponse};
use crate::problem::{Code, Problem};
use crate::request::{Fields, read_object};
use crate::schema::clearing::{
    SettlementHeadView, SettlementLineView, SettlementRequest, SettlementView,
};
use crate::schema::span::DateInput;

failures! {
    SettleFailures: MalformedJson, InvalidParameter, PayloadTooLarge, UnsupportedMediaType,
        InvalidOrder, DayNotClosed, DatabaseUnavailable, Internal;
    ListFailures: DatabaseUnavailable;
    ReadFailures: InvalidParameter, NotFound, NotAcceptable, DatabaseUnavailable;
}

/// The calls that settle days, and tell of those settled.
#[derive(Clone)]
pub struct SettlementCalls {
    clearing: Arc<Clearing>,
}

#[derive(ApiResponse)]
enum SettleAnswer {
    /// The settlement, made before.
    #[oai(status = 200)]
    Before(JsonResponse<SettlementView>),
    /// The settlement, made now.
    #[oai(status = 201)]
    Now(JsonResponse<SettlementView>),
}

#[derive(ApiResponse)]
enum Listed {
    /// All settlements, newest first.
    #[oai(status = 200)]
    Heads(JsonResponse<Vec<SettlementHeadView>>),
}

impl CsvRow for SettlementLineView {
    const COLUMNS: &'static [&'static str] = &[
        "client_id",
        "instrument",
        "bought_quantity",
        "sold_quantity",
        "bought_notional",
        "sold_notional",
        "net_quantity",
        "net_cash",
        "trade_count",
    ];
}

impl SettlementCalls {
    /// Calls that have `clearing` settle.
    #[must_use]
    pub const fn new(clearing: Arc<Clearing>) -> Self {
        Self { clearing }
    }
}

#[OpenApi(tag = "Tag::Settlement")]
impl SettlementCalls {
    /// Settle a day
    ///
    /// Days are settled by themselves after midnight UTC; this does it at once, and says what is
    /// missing where it can't. A day is settled once: asked again, the answer is the same.
    #[oai(
        path = "/admin/settlements",
        method = "post",
        operation_id = "settle_day"
    )]
    async fn settle(
        &self,
        _by: Admin,
        body: JsonRequest<SettlementRequest<'static>>,
    ) -> Result<SettleAnswer, Failure<SettleFailures>> {
        let day = body.text().and_then(read_day)?;
        let view = |settlement: &Settlement| JsonResponse(view(settlement, None));
        Ok(match self.clearing.settle(day).await? {
            Settled::Now(settlement) => SettleAnswer::Now(view(&settlement)),
            Settled::Before(settlement) => SettleAnswer::Before(view(&settlement)),
        })
    }

    /// Read which days are settled, newest first
    ///
    /// Each with when it was settled and how many lines it has.
    #[oai(
        path = "/settlements",
        method = "get",
        operation_id = "list_settlements"
    )]
    async fn list(&self, _by: Trader) -> Result<Listed, Failure<ListFailures>> {
        let heads = self.clearing.list().await?;
        let views = heads.iter().map(SettlementHeadView::new);
        Ok(Listed::Heads(JsonResponse(views.collect())))
    }

    /// Read a settlement
    ///
    /// What each client bought and sold on that day, by instrument, and both nets, which sum to zero
    /// over all clients of an instrument. With a key that is not an administrator's, its own
    /// client's lines alone. With `Accept: text/csv`, the lines as CSV.
    #[oai(
        path = "/settlements/:date",
        method = "get",
        operation_id = "get_settlement"
    )]
    async fn read(
        &self,
        by: Trader,
        headers: &HeaderMap,
        /// The UTC day, `2026-01-31`.
        date: Path<DateInput>,
    ) -> Result<JsonOrCsv<SettlementView>, Failure<ReadFailures>> {
        let form = Form::accepted(headers)?;
        let own = by.client_or_own(None)?;
        let settlement = self.clearing.find(date.0.0).await?;
        let settlement = settlement
            .ok_or_else(|| Problem::new(Code::NotFound, "the day has not been settled"))?;
        let view = view(&settlement, own.as_ref());
        Ok(match form {
            Form::Json => JsonOrCsv::Json(view),
            Form::Csv => JsonOrCsv::csv(&view.lines)?,
        })
    }
}

/// The settlement with one client's lines, or all.
fn view(settlement: &Settlement, own: Option<&ClientId>) -> SettlementView {
    let lines = settlement.lines.iter();
    let lines = lines.filter(|line| own.is_none_or(|own| own.as_str() == line.client_id));
    SettlementView::new(
        &settlement.head,
        lines.map(SettlementLineView::settled).collect(),
    )
}

fn read_day(text: &str) -> Result<Day, Problem> {
    let request: SettlementRequest<'_> = read_object(text)?;
    let mut fields = Fields::default();
    fields.required("date", request.date);
    if !fields.is_empty() {
        return Err(fields.into_problem());
    }
    let date: Option<String> = request
        .date
        .and_then(|date| serde_json::from_str(date.get()).ok());
    date.as_deref()
        .and_then(DateInput::parse)
        .map(|date| date.0)
        .ok_or_else(|| Problem::parameter("date", "must be a day, as \"2026-01-31\""))
}
