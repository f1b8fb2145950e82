//! Server-Sent Events: one instrument's channels over a plain GET.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::stream::unfold;
use poem::http::header::CACHE_CONTROL;
use poem::{Body, IntoResponse, Response};
use poem_openapi::param::{Header, Query};
use poem_openapi::registry::{
    MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, OpenApi};
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use shardbook_engine::market_data::ChangeId;

use crate::access::{self, Caller};
use crate::calls::Tag;
use crate::documented::Failure;
use crate::problem::Problem;
use crate::schema::stream::StreamMessage;
use crate::schema::text::SymbolText;
use crate::schema::word::Worded;
use crate::stream::channel::{Channel, ChannelSet, SharedChannels};
use crate::stream::hub::StreamHub;
use crate::stream::message::parse_event_id;
use crate::stream::subscription::{Frame, OrdersOf, Pace, Subscription, Wanted};
use crate::trading::Trading;

/// How often a comment keeps the connection from looking dead: well below the minute after which
/// proxies give up.
const COMMENT_INTERVAL: Duration = Duration::from_secs(15);

/// A line that readers skip.
const COMMENT: Bytes = Bytes::from_static(b":\n\n");

failures! {
    EventsFailures: InvalidParameter, InstrumentNotFound, Overloaded;
}

/// The call that streams events.
#[derive(Clone)]
pub struct EventCalls {
    trading: Trading,
    hub: Arc<StreamHub>,
    stop: watch::Receiver<bool>,
}

/// A stream of server-sent events.
struct Events(Body);

impl EventCalls {
    /// Streams what `hub` carries of what `trading` trades, until `stop` turns true.
    #[must_use]
    pub const fn new(trading: Trading, hub: Arc<StreamHub>, stop: watch::Receiver<bool>) -> Self {
        Self { trading, hub, stop }
    }
}

#[OpenApi(tag = "Tag::Streams")]
impl EventCalls {
    /// Watch one instrument
    ///
    /// Try it with `curl --no-buffer`: the answer has no end, and Swagger UI shows nothing of it.
    ///
    /// Server-Sent Events: `event` is the message's `type`, `id` is `<sequence>.<index>`, `data`
    /// is the message as JSON, a comment comes every 15 seconds. With `orderbook_deltas`, a
    /// snapshot of the whole book comes first; then each delta's `previous_sequence` is the
    /// `sequence` of the delta or snapshot before it, and a quantity of `"0"` removes its level.
    /// To join with `GET /orderbook`, drop deltas whose `sequence` is not above the book's. One
    /// who reads too slowly is sent a `gap` for each channel it lost something of and, for
    /// deltas, a new snapshot.
    #[oai(path = "/events", method = "get", operation_id = "get_events")]
    async fn events(
        &self,
        by: access::Reader,
        /// Which instrument; the first configured one if left out.
        instrument: Query<Option<SymbolText>>,
        /// Some of `trades`, `orderbook_deltas` and `orders`, with commas between; all of them if
        /// left out. With keys on, `orders` carries those of the key's own client, and a reader's
        /// key has none.
        channels: Query<Option<String>>,
        /// The id of the last event received: goes on behind it without loss or repetition where
        /// it is among the newest 10,000, or else sends a `gap` and begins anew.
        #[oai(name = "Last-Event-ID")]
        last_event_id: Header<Option<String>>,
    ) -> Result<Events, Failure<EventsFailures>> {
        let source = self
            .trading
            .instrument(instrument.0.map(|it| it.0).as_ref())?;
        let (channels, orders_of) = watched(&by, channels.0.as_deref())?;
        let resume_behind = last_event_id.0.as_deref().map(parse_last_event_id);
        let wanted = Wanted {
            channels: Arc::new(SharedChannels::new(channels)),
            pace: Pace::EachDelta,
            orders_of,
        };
        let resume_behind = resume_behind.transpose()?;
        let seat = self.hub.seat().map_err(Problem::from)?;
        let subscription = match resume_behind {
            Some(id) => Subscription::resume(&self.hub, seat, source, wanted, id),
            None => Subscription::begin(&self.hub, seat, source, wanted),
        };
        let reader = Reader::new(subscription, by.caller().clone(), self.stop.clone());
        Ok(Events(Body::from_bytes_stream(unfold(
            reader,
            Reader::next,
        ))))
    }
}

/// The channels that a caller asks for, or all that it may watch; and whose orders it is sent.
fn watched(by: &access::Reader, names: Option<&str>) -> Result<(ChannelSet, OrdersOf), Problem> {
    let trader = by.caller().clone().trader();
    let channels = match names {
        Some(names) => parse_channels(names)?,
        None => Channel::ALL
            .into_iter()
            .filter(|channel| trader.is_ok() || *channel != Channel::Orders)
            .collect(),
    };
    let orders_of = if channels.contains(Channel::Orders) {
        OrdersOf::visible_to(&trader?)
    } else {
        OrdersOf::Everyone
    };
    Ok((channels, orders_of))
}

fn parse_channels(names: &str) -> Result<ChannelSet, Problem> {
    let channels = names.split(',').map(|name| {
        Channel::from_word(name.trim()).ok_or_else(|| {
            let message = format!("must be some of {}", Channel::choices());
            Problem::parameter("channels", message)
        })
    });
    channels.collect()
}

fn parse_last_event_id(text: &str) -> Result<ChangeId, Problem> {
    parse_event_id(text)
        .ok_or_else(|| Problem::parameter("Last-Event-ID", "must be the id of an event, as 42.1"))
}

/// Turns a subscription into the bytes of a response.
struct Reader {
    subscription: Subscription,
    /// Once its key is revoked, the stream ends.
    caller: Caller,
    comments: Interval,
    stop: watch::Receiver<bool>,
    frames: Vec<Frame>,
}

impl Reader {
    fn new(subscription: Subscription, caller: Caller, stop: watch::Receiver<bool>) -> Self {
        let first_comment = Instant::now() + COMMENT_INTERVAL;
        let mut comments = interval_at(first_comment, COMMENT_INTERVAL);
        // A reader that was away needs one comment, not all that it missed.
        comments.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            subscription,
            caller,
            comments,
            stop,
            frames: Vec::new(),
        }
    }

    async fn next(mut self) -> Option<(io::Result<Bytes>, Self)> {
        let bytes = tokio::select! {
            biased;
            _ = self.stop.wait_for(|stop| *stop) => return None,
            () = self.caller.revoked() => return None,
            _ = self.comments.tick() => COMMENT,
            () = self.subscription.next(&mut self.frames) => {
                let instrument = self.subscription.instrument();
                let mut events = self.frames.drain(..).map(|frame| frame.sse(instrument));
                join(&mut events)
            }
        };
        Some((Ok(bytes), self))
    }
}

/// One event as it is, several copied together: a chunk each would cost a write each.
fn join(events: &mut dyn Iterator<Item = Bytes>) -> Bytes {
    let first = events.next().unwrap_or_default();
    let Some(second) = events.next() else {
        return first;
    };
    let mut joined = BytesMut::from(first);
    joined.extend_from_slice(&second);
    for event in events {
        joined.extend_from_slice(&event);
    }
    joined.freeze()
}

impl IntoResponse for Events {
    fn into_response(self) -> Response {
        Response::builder()
            .content_type("text/event-stream")
            .header(CACHE_CONTROL, "no-store")
            .body(self.0)
    }
}

impl ApiResponse for Events {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "The events, as they happen; the stream ends with the server or the reader.",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: "text/event-stream",
                    schema: MetaSchemaRef::Inline(Box::new(MetaSchema {
                        items: Some(Box::new(StreamMessage::schema_ref())),
                        ..MetaSchema::new_with_format("array", "event-stream")
                    })),
                }],
                headers: Vec::new(),
            }],
        }
    }

    fn register(registry: &mut Registry) {
        StreamMessage::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::subscription::tests::Fake;

    #[tokio::test(start_paused = true)]
    async fn a_comment_comes_every_fifteen_seconds_and_the_stop_ends_the_stream() {
        let hub = StreamHub::new(10);
        let wanted = Wanted {
            channels: Arc::new(SharedChannels::new([Channel::Trades].into_iter().collect())),
            pace: Pace::EachDelta,
            orders_of: OrdersOf::Everyone,
        };
        let subscription = Subscription::begin(&hub, hub.seat().unwrap(), Fake::new(), wanted);
        let (stop, stopped) = watch::channel(false);
        let start = Instant::now();
        let mut reader = Reader::new(subscription, Caller::for_tests(), stopped);
        for comment in 1..=3 {
            let (bytes, next) = reader.next().await.unwrap();
            assert_eq!(bytes.unwrap(), ":\n\n");
            assert_eq!(start.elapsed(), COMMENT_INTERVAL * comment);
            reader = next;
        }
        stop.send_replace(true);
        assert!(reader.next().await.is_none());
    }
}
