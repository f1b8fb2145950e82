//! What one connection is subscribed to.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use shardbook_engine::id::{InstrumentId, Symbol};
use shardbook_engine::router::InstrumentHandle;

use crate::stream::channel::{Channel, ChannelSet, SharedChannels};
use crate::stream::hub::{NoSeat, Seat, StreamHub};
use crate::stream::subscription::{BookSource, OrdersOf, Pace, Subscription, Wanted};

/// Events that wait for the connection to write them. Beyond these a slow one's events stay in
/// the rings.
pub(super) const EVENTS_WAITING_MAX: usize = 256;

/// An event on its way to the connection.
pub(super) struct Outgoing {
    channels: Arc<SharedChannels>,
    channel: Channel,
    text: Utf8Bytes,
}

impl Outgoing {
    /// The event's text, unless its channel was unsubscribed meanwhile.
    pub(super) fn into_text(self) -> Option<Utf8Bytes> {
        let wanted = self.channels.get().contains(self.channel);
        wanted.then_some(self.text)
    }
}

/// The subscriptions of one connection: at most one for each instrument and channel.
pub(super) struct Subscriptions {
    hub: Arc<StreamHub>,
    events: mpsc::Sender<Outgoing>,
    by_channel: HashMap<(InstrumentId, Channel), Running>,
}

/// A task that carries some channels of one instrument, shared by the entries of these.
#[derive(Clone)]
struct Running {
    symbol: Symbol,
    channels: Arc<SharedChannels>,
    task: AbortHandle,
}

impl Subscriptions {
    /// None yet, and where their events will come out.
    pub(super) fn new(hub: Arc<StreamHub>) -> (Self, mpsc::Receiver<Outgoing>) {
        let (events, outgoing) = mpsc::channel(EVENTS_WAITING_MAX);
        let subscriptions = Self {
            hub,
            events,
            by_channel: HashMap::new(),
        };
        (subscriptions, outgoing)
    }

    /// Room for so many more, one for each instrument.
    pub(super) fn seats(&self, count: usize) -> Result<Vec<Seat>, NoSeat> {
        self.hub.seats(count)
    }

    /// Begins to carry the channels of an instrument, anew if it did so already.
    pub(super) fn add(
        &mut self,
        seat: Seat,
        on: &Arc<InstrumentHandle>,
        channels: ChannelSet,
        pace: Pace,
        orders_of: OrdersOf,
    ) {
        let instrument = on.instrument();
        for channel in channels.iter() {
            self.remove(instrument.id, channel);
        }
        let channels = Arc::new(SharedChannels::new(channels));
        let wanted = Wanted {
            channels: Arc::clone(&channels),
            pace,
            orders_of,
        };
        let source: Arc<dyn BookSource> = Arc::<InstrumentHandle>::clone(on);
        let subscription = Subscription::begin(&self.hub, seat, source, wanted);
        let carrying = carry(subscription, Arc::clone(&channels), self.events.clone());
        let running = Running {
            symbol: instrument.symbol.clone(),
            task: tokio::spawn(carrying).abort_handle(),
            channels,
        };
        for channel in running.channels.get().iter() {
            self.by_channel
                .insert((instrument.id, channel), running.clone());
        }
    }

    /// No longer carries a channel of an instrument.
    pub(super) fn remove(&mut self, instrument: InstrumentId, channel: Channel) {
        if let Some(running) = self.by_channel.remove(&(instrument, channel))
            && running.channels.remove(channel).is_empty()
        {
            running.task.abort();
        }
    }

    /// The instruments it carries something of.
    pub(super) fn instruments(&self) -> Vec<(InstrumentId, Symbol)> {
        let mut all: Vec<_> = self
            .by_channel
            .iter()
            .map(|((instrument, _), running)| (*instrument, running.symbol.clone()))
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        for running in self.by_channel.values() {
            running.task.abort();
        }
    }
}

/// Hands a subscription's frames over as fast as the connection takes them.
async fn carry(
    mut subscription: Subscription,
    channels: Arc<SharedChannels>,
    events: mpsc::Sender<Outgoing>,
) {
    let instrument = Arc::clone(subscription.instrument());
    let mut frames = Vec::new();
    loop {
        subscription.next(&mut frames).await;
        for frame in frames.drain(..) {
            let outgoing = Outgoing {
                channels: Arc::clone(&channels),
                channel: frame.channel(),
                text: frame.text(&instrument),
            };
            if events.send(outgoing).await.is_err() {
                return;
            }
        }
    }
}
