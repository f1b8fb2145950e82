//! Adding instruments.

use std::sync::Arc;

use poem_openapi::{ApiResponse, OpenApi};
use shardbook_feed::feed::FeedHandle;

use crate::access::Admin;
use crate::calls::Tag;
use crate::calls::market_data::view;
use crate::documented::Failure;
use crate::listings::Listings;
use crate::payload::{JsonRequest, JsonResponse};
use crate::request::read_instrument;
use crate::schema::instrument::{InstrumentRequest, InstrumentView};

failures! {
    AddFailures: MalformedJson, PayloadTooLarge, UnsupportedMediaType, InstrumentExists,
        InvalidOrder, ShardRestarting, JournalUnavailable;
}

/// The calls that change which instruments there are.
#[derive(Clone)]
pub struct InstrumentCalls {
    listings: Listings,
    feed: FeedHandle,
}

#[derive(ApiResponse)]
enum Added {
    /// The instrument, which takes orders from now on.
    #[oai(status = 201)]
    Instrument(
        JsonResponse<InstrumentView>,
        /// Where the instrument is read.
        #[oai(header = "Location")]
        String,
    ),
}

impl InstrumentCalls {
    /// Calls that add to `listings`, and tell `feed`.
    #[must_use]
    pub const fn new(listings: Listings, feed: FeedHandle) -> Self {
        Self { listings, feed }
    }
}

#[OpenApi(tag = "Tag::Administration")]
impl InstrumentCalls {
    /// Add an instrument
    ///
    /// It takes orders from the answer on, over restarts too; the others do not notice. Nothing
    /// takes an instrument away again: halt it instead. With a `binance_symbol` the live feed takes
    /// it in at once, on the connection that stands.
    #[oai(
        path = "/admin/instruments",
        method = "post",
        operation_id = "add_instrument"
    )]
    async fn add(
        &self,
        _by: Admin,
        body: JsonRequest<InstrumentRequest<'static>>,
    ) -> Result<Added, Failure<AddFailures>> {
        let specification = body.text().and_then(read_instrument)?;
        let handle = self.listings.add(specification).await?;
        self.feed.add(Arc::clone(handle.instrument())).await;
        let location = format!("/instruments/{}", handle.instrument().symbol);
        Ok(Added::Instrument(JsonResponse(view(&handle)), location))
    }
}
