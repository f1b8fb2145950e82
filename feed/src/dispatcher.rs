//! Brings a source's messages to the lanes of their symbols, and keeps the feed's status.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use shardbook_engine::command::FeedSource;
use shardbook_engine::instrument::Instrument;
use shardbook_engine::time::{Clock, SystemClock};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::connection::STREAMS_MAX;
use crate::feed::{Mapped, binance_symbol, simulated_symbol, streams_of};
use crate::inquiry::Inquiries;
use crate::lane::{Input, Lane, LaneParts};
use crate::market::Market;
use crate::message::Message;
use crate::quiet::Quiet;
use crate::simulated::SimulatedMarket;
use crate::sink::Sink;
use crate::source::Signal;
use crate::status::{FeedState, FeedStatus, SkipReason};
use crate::trades::Holes;

/// How often bad messages are told.
const BAD_MESSAGE_LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Whether the feed is to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    On,
    Stop,
}

/// A source that has been set going.
pub(crate) struct RunningSource {
    /// In whose name its commands come.
    pub(crate) kind: FeedSource,
    /// What its end means.
    pub(crate) end: SourceEnd,
    /// What it says.
    pub(crate) signals: mpsc::Receiver<Signal>,
    /// Where it is asked for depth snapshots and missed trades, if it can be asked.
    pub(crate) inquiries: Option<Inquiries>,
    /// How it is told of another instrument.
    pub(crate) more: More,
    /// After so long without a sign of life the mirror is withdrawn; a source without it is
    /// never silent.
    pub(crate) silence_max: Option<Duration>,
}

impl RunningSource {
    /// What it calls an instrument, in upper case; nothing, if it can't feed it.
    fn symbol_of(&self, instrument: &Instrument) -> Option<String> {
        match self.kind {
            FeedSource::Binance => binance_symbol(instrument),
            FeedSource::Simulated => Some(simulated_symbol(instrument)),
        }
    }
}

/// How a source is told of another instrument.
pub(crate) enum More {
    /// By more streams to subscribe to.
    Streams(watch::Sender<Vec<String>>),
    /// By a market to simulate, made with this seed and from this id on.
    Markets {
        markets: mpsc::Sender<SimulatedMarket>,
        seed: u64,
        first_id: u64,
    },
    /// Not at all: it holds what it holds.
    Nothing,
}

/// What it means when a source has nothing more to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SourceEnd {
    /// It has been played to its end.
    Finish,
    /// It broke off: it should go on for ever.
    Never,
}

/// The feed's one task that sees every message.
pub(crate) struct Dispatcher<S> {
    source: RunningSource,
    lanes: BTreeMap<String, Vec<Lane>>,
    liquidity_levels: usize,
    sink: Arc<S>,
    status: watch::Sender<FeedStatus>,
    connections: u64,
    last_sign_of_life: Instant,
    mirror: MirrorState,
    bad_messages: Quiet,
}

/// Whether the mirror has been withdrawn for silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MirrorState {
    Kept,
    Withdrawn,
}

impl<S: Sink> Dispatcher<S> {
    /// Starts a lane for every instrument that the source feeds.
    pub(crate) fn new(
        source: RunningSource,
        mapped: Vec<Mapped>,
        liquidity_levels: usize,
        sink: Arc<S>,
        status: watch::Sender<FeedStatus>,
    ) -> Self {
        let mut dispatcher = Self {
            source,
            lanes: BTreeMap::new(),
            liquidity_levels,
            sink,
            status,
            connections: 0,
            last_sign_of_life: Instant::now(),
            mirror: MirrorState::Kept,
            bad_messages: Quiet::new(BAD_MESSAGE_LOG_INTERVAL),
        };
        for (symbol, instrument) in mapped {
            dispatcher.start_lane(symbol, instrument);
        }
        dispatcher
    }

    fn start_lane(&mut self, symbol: String, instrument: Arc<Instrument>) {
        let holes = match self.source.inquiries {
            Some(_) => Holes::Filled {
                taken_in: self
                    .sink
                    .feed_at_start(instrument.id)
                    .positions
                    .of(self.source.kind)
                    .trade_id,
            },
            None => Holes::Counted,
        };
        let levels = self.liquidity_levels;
        let lane = Lane::start(LaneParts {
            market: Market::new(Arc::clone(&instrument), self.source.kind, levels, holes),
            instrument,
            symbol: symbol.clone(),
            sink: Arc::clone(&self.sink),
            status: self.status.clone(),
            inquiries: self.source.inquiries.clone(),
        });
        self.lanes.entry(symbol).or_default().push(lane);
    }

    /// Feeds another instrument from now on, if the source can.
    fn add(&mut self, instrument: Arc<Instrument>) {
        let Some(symbol) = self.source.symbol_of(&instrument) else {
            return;
        };
        match &self.source.more {
            More::Streams(streams) => {
                let known = streams.borrow().clone();
                let mut added = streams_of(&symbol, self.liquidity_levels);
                added.retain(|stream| !known.contains(stream));
                if known.len() + added.len() > STREAMS_MAX {
                    tracing::warn!(
                        instrument = %instrument.symbol,
                        "one connection to Binance carries {STREAMS_MAX} streams; this instrument is not fed"
                    );
                    return;
                }
                streams.send_modify(|streams| streams.append(&mut added));
            }
            More::Markets {
                markets,
                seed,
                first_id,
            } => {
                let market =
                    SimulatedMarket::new(Arc::clone(&instrument), symbol.clone(), *seed, *first_id);
                // It takes them in between two steps, and there is room for many.
                if markets.try_send(market).is_err() {
                    tracing::warn!(instrument = %instrument.symbol, "this instrument is not fed");
                    return;
                }
            }
            More::Nothing => return,
        }
        self.start_lane(symbol, instrument);
    }

    /// Follows the source until it ends or the feed is stopped; returns once everything
    /// delivered is answered.
    pub(crate) async fn run(
        mut self,
        mut stopped: watch::Receiver<Run>,
        mut additions: mpsc::Receiver<Arc<Instrument>>,
    ) {
        let ended = loop {
            let silent = self.silent_at();
            let signal = tokio::select! {
                biased;
                () = until_stopped(&mut stopped) => break None,
                Some(instrument) = additions.recv() => {
                    self.add(instrument);
                    continue;
                }
                signal = self.source.signals.recv() => signal,
                () = sleep_until(silent) => {
                    self.withdraw().await;
                    continue;
                }
            };
            match signal {
                Some(signal) => self.take(signal).await,
                None => break Some(self.source.end),
            }
        };
        for lane in self.lanes.into_values().flatten() {
            drop(lane.inputs);
            if let Err(error) = lane.task.await {
                tracing::error!(%error, "a lane of the feed broke off");
            }
        }
        match ended {
            None => {}
            Some(SourceEnd::Never) => {
                tracing::error!("the feed's source broke off");
                self.status
                    .send_modify(|status| status.state = FeedState::Down);
            }
            Some(SourceEnd::Finish) => finish(&self.status),
        }
    }

    async fn take(&mut self, signal: Signal) {
        match signal {
            Signal::Connected => {
                let again = u64::from(self.connections > 0);
                self.connections += 1;
                self.status
                    .send_modify(|status| status.counts.reconnects += again);
                self.last_sign_of_life = Instant::now();
                self.tell_all(&Input::StartOver).await;
            }
            Signal::HandedOver => {
                self.status
                    .send_modify(|status| status.counts.reconnects += 1);
                self.last_sign_of_life = Instant::now();
            }
            Signal::Disconnected => {
                self.status
                    .send_modify(|status| status.state = FeedState::Down);
            }
            Signal::Alive | Signal::Answered => self.last_sign_of_life = Instant::now(),
            Signal::Message(message) => self.take_message(message).await,
            Signal::Bad(reason, what) => {
                self.status.send_modify(|status| {
                    status.counts.messages += 1;
                    status.counts.skip(reason);
                });
                if let Some(held_back) = self.bad_messages.speak(Instant::now().into_std()) {
                    tracing::warn!(%reason, what, held_back, "skipped what is no message");
                }
            }
            Signal::Fill { symbol, fill } => {
                for lane in self.lanes.get(&symbol).into_iter().flatten() {
                    tell(lane, Input::Fill(fill.clone())).await;
                }
            }
            Signal::Played(progress) => {
                self.status
                    .send_modify(|status| status.progress = Some(progress));
            }
        }
    }

    async fn take_message(&mut self, message: Message) {
        self.last_sign_of_life = Instant::now();
        self.mirror = MirrorState::Kept;
        let now = SystemClock.now();
        // Only a live message's age means anything.
        let live = self.source.silence_max.is_some();
        let lag = message
            .sent_at()
            .filter(|_| live)
            .map(|sent_at| now.since(sent_at));
        let lanes = message.symbol().and_then(|symbol| self.lanes.get(symbol));
        let skipped = match (&message, lanes) {
            (Message::Unknown, _) => Some(SkipReason::UnknownEvent),
            (Message::DepthSnapshot(snapshot), None) if snapshot.symbol.is_none() => {
                Some(SkipReason::SnapshotWithoutSymbol)
            }
            (
                Message::Trade(_)
                | Message::AggregateTrade(_)
                | Message::DepthDiff(_)
                | Message::DepthSnapshot(_),
                None,
            ) => Some(SkipReason::UnmappedSymbol),
            (
                Message::Trade(_)
                | Message::AggregateTrade(_)
                | Message::DepthDiff(_)
                | Message::DepthSnapshot(_)
                | Message::ServerShutdown
                | Message::Response(_)
                | Message::BookTicker,
                _,
            ) => None,
        };
        self.status.send_modify(|status| {
            status.state = FeedState::Live;
            status.last_message_at = Some(now);
            status.lag = lag.or(status.lag);
            status.counts.messages += 1;
            if let Some(reason) = skipped {
                status.counts.skip(reason);
            }
        });
        if let Some(lanes) = lanes {
            let message = Arc::new(message);
            for lane in lanes {
                tell(lane, Input::Message(Arc::clone(&message))).await;
            }
        }
    }

    /// When the source will have been silent for too long; never, if it has or can't be.
    fn silent_at(&self) -> Option<Instant> {
        match self.mirror {
            MirrorState::Withdrawn => None,
            MirrorState::Kept => Some(self.last_sign_of_life + self.source.silence_max?),
        }
    }

    async fn withdraw(&mut self) {
        tracing::info!("the feed is silent; its mirrored liquidity is withdrawn");
        self.mirror = MirrorState::Withdrawn;
        self.status
            .send_modify(|status| status.state = FeedState::Down);
        self.tell_all(&Input::Withdraw).await;
    }

    async fn tell_all(&self, input: &Input) {
        for lane in self.lanes.values().flatten() {
            tell(lane, input.clone()).await;
        }
    }
}

/// Waits for room in a lane. One that has ended has no exchange to deliver to any more.
async fn tell(lane: &Lane, input: Input) {
    if lane.inputs.send(input).await.is_err() {
        tracing::debug!("a lane of the feed has ended");
    }
}

/// A feed that was dropped is stopped too.
async fn until_stopped(stopped: &mut watch::Receiver<Run>) {
    drop(stopped.wait_for(|run| *run == Run::Stop).await);
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn finish(status: &watch::Sender<FeedStatus>) {
    status.send_modify(|status| status.state = FeedState::Finished);
    let counts = status.borrow().counts.clone();
    let skipped: Vec<String> = counts
        .skipped
        .iter()
        .map(|(reason, count)| format!("{reason}={count}"))
        .collect();
    tracing::info!(
        messages = counts.messages,
        trades = counts.trades,
        mirror_updates = counts.mirror_updates,
        mirror_unchanged = counts.mirror_unchanged,
        gaps = counts.gaps,
        trades_missed = counts.trades_missed,
        skipped = skipped.join(" "),
        "the feed's file has been played to its end"
    );
}
