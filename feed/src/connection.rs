//! The live connection to Binance's combined stream: kept, made anew, and handed over.
//!
//! Binance ends a connection after 24 hours, and says so before it ends one for reasons of its
//! own. Before that, a new one is made beside the old; once it is subscribed, both run for a
//! while, and what comes by the new one waits. Then the old one goes, and the new one begins with
//! what both had: what is double is known by its ids, and nothing is missing. A connection that
//! ends before its time is made anew, after a wait that doubles with every failure.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::link::{Ended, Link, LinkEvent, LinkStage, Streams};
use crate::quiet::Quiet;
use crate::retry::Retry;
use crate::source::Signal;

/// Most streams of a connection that Binance allows.
pub(crate) const STREAMS_MAX: usize = 1_024;

/// A connection is replaced at this age; Binance ends it at 24 h.
const AGE_MAX: Duration = Duration::from_secs(23 * 3_600 + 1_800);

/// How long the old connection and the subscribed new one run side by side.
const OVERLAP: Duration = Duration::from_secs(1);

/// A new connection whose subscriptions are not answered for so long takes over all the same.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time until another try, if a new connection could not be made beside the old one.
const HANDOVER_RETRY: Duration = Duration::from_secs(10);

/// First and longest wait before connecting anew. Binance allows 300 connections per 5 minutes.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LONGEST: Duration = Duration::from_secs(60);

/// How often a lasting trouble is told.
const LOG_INTERVAL: Duration = Duration::from_secs(600);

/// What the connection says.
#[derive(Debug)]
pub(crate) enum Event {
    /// A connection stands, and nothing came for a while: what comes now does not continue what
    /// came before.
    Connected,
    /// Another connection takes over, without a break.
    HandedOver,
    /// The connection is lost.
    Disconnected,
    /// A text came.
    Heard { text: Utf8Bytes, signal: Signal },
}

/// No one listens any more.
struct NoListener;

/// Keeps a connection to `url` for `streams`, and sends what comes by it as what `say` makes of
/// it, until no one listens.
pub(crate) async fn run<T: Send>(
    url: String,
    streams: Streams,
    listener: mpsc::Sender<T>,
    say: fn(Event) -> T,
) {
    let url = url.trim_end_matches('/').to_owned();
    let mut keeper = Keeper {
        link: Link::open(url.clone(), streams.clone()),
        opening: Opening::Anew,
        replace_at: None,
        next: None,
        retry: Retry::new(RETRY_FIRST, RETRY_LONGEST),
        quiet: Quiet::new(LOG_INTERVAL),
        url,
        streams,
        listener,
        say,
    };
    while keeper.step().await.is_ok() {}
}

/// Keeps one connection, and at times the one that takes its place.
struct Keeper<T> {
    link: Link,
    opening: Opening,
    /// When the connection gets a successor; not known before it stands.
    replace_at: Option<Instant>,
    next: Option<Successor>,
    retry: Retry,
    quiet: Quiet,
    url: String,
    streams: Streams,
    listener: mpsc::Sender<T>,
    say: fn(Event) -> T,
}

/// What it means when the current connection says that it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    Anew,
    TakesOver,
}

/// The connection that takes the current one's place.
struct Successor {
    link: Link,
    stage: SuccessorStage,
    /// When the stage ends by itself.
    until: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SuccessorStage {
    /// It is being made and subscribed.
    Subscribing,
    /// It is subscribed; what comes by it waits.
    Overlapping,
}

/// What happens next.
enum Next {
    Event(Option<LinkEvent>),
    Replace,
    Subscribed,
    TakeOver,
    GiveUp,
    NoListener,
}

impl<T: Send> Keeper<T> {
    async fn step(&mut self) -> Result<(), NoListener> {
        match self.next().await {
            Next::Event(Some(LinkEvent::Opened)) => {
                self.replace_at = Some(Instant::now() + AGE_MAX);
                match std::mem::replace(&mut self.opening, Opening::Anew) {
                    Opening::Anew => self.say(Event::Connected).await,
                    Opening::TakesOver => self.say(Event::HandedOver).await,
                }
            }
            Next::Event(Some(LinkEvent::Heard { text, signal })) => {
                if matches!(signal, Signal::Message(_)) {
                    self.retry.reset();
                }
                self.say(Event::Heard { text, signal }).await
            }
            Next::Event(Some(LinkEvent::ShuttingDown)) | Next::Replace => {
                self.begin_handover();
                Ok(())
            }
            Next::Event(Some(LinkEvent::Ended(ended))) => self.connect_anew(&ended).await,
            Next::Event(None) => self.connect_anew(&Ended::Closed).await,
            Next::Subscribed => {
                if let Some(next) = &mut self.next {
                    next.stage = SuccessorStage::Overlapping;
                    next.until = Instant::now() + OVERLAP;
                }
                Ok(())
            }
            Next::TakeOver => self.take_over().await,
            Next::GiveUp => {
                tracing::debug!("the new connection to Binance was not made; trying again");
                self.next = None;
                self.replace_at = Some(Instant::now() + HANDOVER_RETRY);
                Ok(())
            }
            Next::NoListener => Err(NoListener),
        }
    }

    async fn next(&mut self) -> Next {
        let replace_at = self.replace_at.filter(|_| self.next.is_none());
        tokio::select! {
            biased;
            () = self.listener.closed() => Next::NoListener,
            next = progress(self.next.as_mut()) => next,
            () = sleep_until(replace_at) => Next::Replace,
            event = self.link.events.recv() => Next::Event(event),
        }
    }

    async fn say(&self, event: Event) -> Result<(), NoListener> {
        let said = (self.say)(event);
        self.listener.send(said).await.map_err(|_| NoListener)
    }

    /// Begins to make the connection that takes this one's place, if that is not under way.
    fn begin_handover(&mut self) {
        if self.next.is_none() {
            tracing::info!("a new connection to Binance takes the place of the one there is");
            self.next = Some(Successor {
                link: self.open(),
                stage: SuccessorStage::Subscribing,
                until: Instant::now() + SUBSCRIBE_TIMEOUT,
            });
        }
    }

    fn open(&self) -> Link {
        Link::open(self.url.clone(), self.streams.clone())
    }

    /// Says what the old connection had yet to say, and goes on with the new one.
    async fn take_over(&mut self) -> Result<(), NoListener> {
        let Some(next) = self.next.take() else {
            return Ok(());
        };
        let mut old = std::mem::replace(&mut self.link, next.link);
        self.opening = Opening::TakesOver;
        self.replace_at = None;
        while let Ok(event) = old.events.try_recv() {
            if let LinkEvent::Heard { text, signal } = event {
                self.say(Event::Heard { text, signal }).await?;
            }
        }
        Ok(())
    }

    /// Goes on with the connection that was to take over, if there is one, and else with a new
    /// one, after a while.
    async fn connect_anew(&mut self, ended: &Ended) -> Result<(), NoListener> {
        self.say(Event::Disconnected).await?;
        self.replace_at = None;
        let now = Instant::now().into_std();
        if let Some(held_back) = self.quiet.speak(now) {
            tracing::warn!(url = self.url, reason = %ended, held_back, "no connection to Binance; trying on");
        } else {
            tracing::debug!(url = self.url, reason = %ended, "no connection to Binance; trying on");
        }
        if let Some(next) = self.next.take() {
            self.link = next.link;
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(self.retry.next_wait()) => {}
            () = self.listener.closed() => return Err(NoListener),
        }
        self.link = self.open();
        Ok(())
    }
}

/// How the successor comes on; never, while there is none.
async fn progress(next: Option<&mut Successor>) -> Next {
    let Some(next) = next else {
        return std::future::pending().await;
    };
    let until = next.until;
    match next.stage {
        SuccessorStage::Subscribing => {
            let subscribed = next
                .link
                .stage
                .wait_for(|stage| *stage == LinkStage::Subscribed);
            let outcome = tokio::time::timeout_at(until, subscribed).await;
            match outcome.map(|subscribed| subscribed.map(drop)) {
                Ok(Ok(())) => Next::Subscribed,
                // It has ended.
                Ok(Err(_)) => Next::GiveUp,
                Err(_) => match *next.link.stage.borrow() {
                    LinkStage::Connecting => Next::GiveUp,
                    LinkStage::Open | LinkStage::Subscribed => Next::TakeOver,
                },
            }
        }
        SuccessorStage::Overlapping => {
            tokio::time::sleep_until(until).await;
            Next::TakeOver
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
