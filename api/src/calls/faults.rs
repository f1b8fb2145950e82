//! Making the exchange fail, for tests. The call exists only where the settings allow it.

use poem_openapi::{ApiResponse, OpenApi};

use shardbook_engine::fault::Fault;
use shardbook_engine::id::{OrderId, Symbol};

use crate::access::Admin;
use crate::calls::Tag;
use crate::documented::Failure;
use crate::payload::{JsonRequest, JsonResponse};
use crate::problem::{Code, Problem};
use crate::request::{Fields, read_object};
use crate::schema::fault::{FaultRequest, FaultView};
use crate::schema::text::SymbolText;
use crate::trading::Trading;

failures! {
    FaultFailures: MalformedJson, PayloadTooLarge, UnsupportedMediaType, InvalidOrder,
        UnknownInstrument, Overloaded, ShardRestarting;
}

/// The calls that make the exchange fail.
#[derive(Clone)]
pub struct Faults {
    trading: Trading,
}

#[derive(ApiResponse)]
enum Injected {
    /// The shard has crashed, and is being rebuilt; or it will with the order named.
    #[oai(status = 202)]
    Fault(JsonResponse<FaultView>),
}

impl Faults {
    /// Calls that crash the shards `trading` goes to.
    #[must_use]
    pub const fn new(trading: Trading) -> Self {
        Self { trading }
    }
}

#[OpenApi(tag = "Tag::Operations")]
impl Faults {
    /// Crash an instrument's shard
    ///
    /// For tests: nothing acknowledged is lost, and other instruments do not notice.
    #[oai(
        path = "/admin/faults/panic",
        method = "post",
        operation_id = "inject_panic"
    )]
    async fn panic(
        &self,
        _by: Admin,
        body: JsonRequest<FaultRequest<'static>>,
    ) -> Result<Injected, Failure<FaultFailures>> {
        let (symbol, fault) = body.text().and_then(read_fault)?;
        let on = self
            .trading
            .router()
            .instrument(symbol.as_str())
            .ok_or_else(|| {
                let detail = format!("there is no instrument {symbol}");
                Problem::new(Code::UnknownInstrument, detail)
            })?;
        self.trading
            .router()
            .inject(&on, fault)
            .await
            .map_err(|error| Problem::of_call(error, on.instrument()))?;
        let instrument = SymbolText(symbol);
        Ok(Injected::Fault(JsonResponse(FaultView { instrument })))
    }
}

fn read_fault(text: &str) -> Result<(Symbol, Fault), Problem> {
    let request: FaultRequest<'_> = read_object(text)?;
    let mut fields = Fields::default();
    fields.required("instrument", request.instrument);
    let instrument = fields.text("instrument", request.instrument, Symbol::new);
    let order_id = fields.text("order_id", request.order_id, OrderId::new);
    instrument
        .filter(|_| fields.is_empty())
        .map(|instrument| (instrument, order_id.map_or(Fault::Now, Fault::OnOrder)))
        .ok_or_else(|| fields.into_problem())
}
