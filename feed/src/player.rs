//! Plays what is not live, a recording or a simulated market, at its pace.

use std::time::Duration;

use shardbook_engine::time::Clock;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::message::Message;
use crate::recording::{Recorded, Recording};
use crate::simulated::SimulatedMarket;
use crate::source::{FileSource, Pace, SIGNALS_MAX, Signal};

/// Lines between two notes of how far a file has been played.
const LINES_PER_PROGRESS: u64 = 500;

/// Longest wait between two lines: a recording's clock may have jumped.
const WAIT_MAX: Duration = Duration::from_secs(24 * 3_600);

/// A line as it was read, with when it was received if that is known.
type Timed = (Option<Duration>, Signal);

/// Plays a recording to its end. `only_symbol` is what a snapshot that does not say belongs to.
pub(crate) async fn play_file(
    file: FileSource,
    only_symbol: Option<String>,
    signals: mpsc::Sender<Signal>,
) {
    let pace = file.pace;
    let (sender, mut lines) = mpsc::channel::<Timed>(SIGNALS_MAX);
    // Reading and decompressing block, so they have a thread of their own; it ends with the
    // channel.
    let reader = tokio::task::spawn_blocking(move || read_file(&file, only_symbol, &sender));
    let mut schedule = Schedule::new(pace);
    while let Some((received_at, signal)) = lines.recv().await {
        if let Some(due) = received_at.and_then(|received_at| schedule.due(received_at)) {
            tokio::select! {
                () = tokio::time::sleep_until(due) => {}
                () = signals.closed() => return,
            }
        }
        if signals.send(signal).await.is_err() {
            return;
        }
    }
    if let Err(error) = reader.await {
        tracing::error!(%error, "the reader of the feed's file broke off");
    }
}

/// Reads a file into a channel, as far as it can be read or anyone listens.
fn read_file(file: &FileSource, only_symbol: Option<String>, lines: &mpsc::Sender<Timed>) {
    let path = &file.path;
    let mut recording = match Recording::open(path, file.symbol.as_deref()) {
        Ok(recording) => recording,
        Err(error) => {
            tracing::error!(%error, "the feed's file can't be played");
            return;
        }
    };
    let mut count: u64 = 0;
    loop {
        let timed = match recording.read() {
            Ok(Some(Ok(Recorded {
                received_at,
                message,
            }))) => (
                Some(received_at),
                Signal::Message(with_symbol(message, only_symbol.as_ref())),
            ),
            Ok(Some(Err(error))) => (None, Signal::Bad(error.reason(), error.to_string())),
            Ok(None) => break,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the feed's file breaks off");
                break;
            }
        };
        if lines.blocking_send(timed).is_err() {
            return;
        }
        count += 1;
        if count.is_multiple_of(LINES_PER_PROGRESS) {
            let progress = Signal::Played(recording.progress());
            if lines.blocking_send((None, progress)).is_err() {
                return;
            }
        }
    }
    // The channel being closed here only means that no one wants to know any more.
    drop(lines.blocking_send((None, Signal::Played(recording.progress()))));
}

fn with_symbol(mut message: Message, only_symbol: Option<&String>) -> Message {
    if let Message::DepthSnapshot(snapshot) = &mut message
        && snapshot.symbol.is_none()
    {
        snapshot.symbol = only_symbol.cloned();
    }
    message
}

/// When each recorded message is due.
#[derive(Debug)]
struct Schedule {
    pace: Pace,
    /// When the first message was received, and when it was played.
    begin: Option<(Duration, Instant)>,
}

impl Schedule {
    const fn new(pace: Pace) -> Self {
        Self { pace, begin: None }
    }

    /// When a message received then is due; `None` for at once.
    fn due(&mut self, received_at: Duration) -> Option<Instant> {
        let times = match self.pace {
            Pace::Max => return None,
            Pace::Times(times) => times,
        };
        let (first, start) = *self
            .begin
            .get_or_insert_with(|| (received_at, Instant::now()));
        let after = received_at.saturating_sub(first).as_secs_f64() / times;
        let after = Duration::try_from_secs_f64(after).unwrap_or(WAIT_MAX);
        start.checked_add(after)
    }
}

/// Runs simulated markets step by step until no one listens.
pub(crate) async fn play_simulated(
    mut markets: Vec<SimulatedMarket>,
    mut more: mpsc::Receiver<SimulatedMarket>,
    step: Duration,
    clock: impl Clock,
    signals: mpsc::Sender<Signal>,
) {
    let mut steps = tokio::time::interval(step.max(Duration::from_millis(1)));
    steps.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut messages = Vec::new();
    loop {
        tokio::select! {
            _ = steps.tick() => {}
            () = signals.closed() => return,
        }
        while let Ok(market) = more.try_recv() {
            markets.push(market);
        }
        for market in &mut markets {
            market.step(clock.now(), &mut messages);
        }
        for message in messages.drain(..) {
            if signals.send(Signal::Message(message)).await.is_err() {
                return;
            }
        }
    }
}
