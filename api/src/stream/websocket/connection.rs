//! One WebSocket connection: reads frames, answers them, and carries events.
//!
//! Whatever is ready goes out together: frames are read, answers gathered and events taken until
//! there is nothing left or a turn is over, and then flushed once. Everything is bounded: the
//! operations under way (beyond which nothing is read), the events that wait (beyond which they
//! stay in their rings), and the time a client may take to accept what is sent to it.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, SinkExt, StreamExt};
use poem::Upgraded;
use tokio::io::AsyncReadExt;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};

use shardbook_engine::responder::Tagged;

use crate::access::Caller;
use crate::problem::{Code, Problem};
use crate::stream::websocket::Shared;
use crate::stream::websocket::disconnect::CancelOnDisconnect;
use crate::stream::websocket::operation::{Begun, Identity, Operations};
use crate::stream::websocket::placements::Placements;
use crate::stream::websocket::reply::{self, OperationId};
use crate::stream::websocket::subscriptions::{Outgoing, Subscriptions};

/// Operations of one connection that may wait for their outcome at once. At 1,000 operations a
/// millisecond they cover four milliseconds, a few flushes of the journal.
const UNDER_WAY_MAX: usize = 4_096;

/// Frames read, answered or carried before the next kind has its turn.
const TURN_MAX: usize = 256;

/// How long a client may take to show a key, where keys are asked for.
const AUTH_TIME_MAX: Duration = Duration::from_secs(10);

/// How often a client is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(15);

/// How long a client may be silent, pings unanswered, before it counts as gone.
const SILENCE_MAX: Duration = Duration::from_secs(45);

/// How long a client may take to accept what is sent to it before the connection is closed.
const WRITE_TIME_MAX: Duration = Duration::from_secs(30);

/// How long a closed connection is read on, so that the client finds the reason instead of a
/// reset.
const CLOSING_TIME_MAX: Duration = Duration::from_secs(1);

/// How long a stopping server answers what it accepted.
const STOPPING_TIME_MAX: Duration = Duration::from_secs(5);

/// A connection and what is under way on it.
pub(super) struct Connection {
    socket: WebSocketStream<Upgraded>,
    operations: Operations,
    under_way: FuturesUnordered<BoxFuture<'static, Utf8Bytes>>,
    events: mpsc::Receiver<Outgoing>,
    last_heard: Instant,
}

/// Why a connection ends.
enum End {
    /// The client closed it, or it broke.
    Gone,
    /// The server closes it and says why.
    Closed(CloseCode, &'static str),
    /// The server stops.
    Stopping,
}

impl Connection {
    pub(super) fn new(
        socket: WebSocketStream<Upgraded>,
        shared: Shared,
        caller: Option<Caller>,
    ) -> Self {
        let (subscriptions, events) = Subscriptions::new(shared.hub.clone());
        Self {
            socket,
            operations: Operations {
                shared,
                identity: caller.map(Identity::new),
                subscriptions,
                on_disconnect: CancelOnDisconnect::default(),
                placements: Placements::new(UNDER_WAY_MAX),
            },
            under_way: FuturesUnordered::new(),
            events,
            last_heard: Instant::now(),
        }
    }

    /// Serves the client until the connection ends.
    pub(super) async fn run(mut self) {
        let mut end = match self.serve().await {
            Ok(()) => End::Gone,
            Err(end) => end,
        };
        if matches!(end, End::Stopping)
            && let Ok(Err(broken)) = timeout(STOPPING_TIME_MAX, self.finish()).await
        {
            end = broken;
        }
        let Operations {
            shared,
            subscriptions,
            on_disconnect,
            ..
        } = self.operations;
        drop(subscriptions);
        let is_disconnect = !*shared.stop.borrow();
        let closing = close(self.socket, end);
        if is_disconnect {
            // Whether the client hears why is nothing that its orders may wait for.
            tokio::join!(closing, on_disconnect.carry_out(&shared));
        } else {
            closing.await;
        }
    }

    async fn serve(&mut self) -> Result<(), End> {
        let mut stop = self.operations.shared.stop.clone();
        let mut pings = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let auth_ends = Instant::now() + AUTH_TIME_MAX;
        loop {
            let has_room = self.has_room();
            let identity = self.operations.identity.as_ref();
            let caller = identity.map(|identity| identity.caller().clone());
            tokio::select! {
                () = stopped(&mut stop) => return Err(End::Stopping),
                end = refused(caller, auth_ends) => return Err(end),
                frame = self.socket.next(), if has_room => self.read(frame).await?,
                Some(outcome) = self.operations.placements.next() => self.conclude(outcome).await?,
                Some(answer) = self.under_way.next() => self.answer(answer).await?,
                Some(event) = self.events.recv() => self.carry(event).await?,
                _ = pings.tick() => self.ping().await?,
            }
            self.flush().await?;
        }
    }

    /// Answers what was accepted before the server was told to stop; it will be durable.
    async fn finish(&mut self) -> Result<(), End> {
        while self.operations.placements.len() > 0 || !self.under_way.is_empty() {
            tokio::select! {
                Some(outcome) = self.operations.placements.next() => self.conclude(outcome).await?,
                Some(answer) = self.under_way.next() => self.answer(answer).await?,
            }
            self.flush().await?;
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.operations.placements.len() + self.under_way.len() < UNDER_WAY_MAX
    }

    /// Takes in a frame and those right behind it.
    async fn read(&mut self, frame: Option<Result<Message, Error>>) -> Result<(), End> {
        self.last_heard = Instant::now();
        self.take(frame).await?;
        for _ in 1..TURN_MAX {
            if !self.has_room() {
                break;
            }
            match self.socket.next().now_or_never() {
                Some(frame) => self.take(frame).await?,
                None => break,
            }
        }
        Ok(())
    }

    async fn take(&mut self, frame: Option<Result<Message, Error>>) -> Result<(), End> {
        match frame {
            None => Err(End::Gone),
            Some(Err(error)) => Err(end_of(&error)),
            Some(Ok(Message::Text(text))) => {
                let begun = self.operations.begin(&text);
                self.go_on(begun).await
            }
            Some(Ok(Message::Binary(_))) => {
                let problem = Problem::new(Code::MalformedJson, "send JSON as text frames");
                self.feed(reply::failed(&OperationId::UNKNOWN, &problem))
                    .await
            }
            // Pings are answered by the protocol's own code.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(()),
            Some(Ok(Message::Close(_))) => Err(End::Gone),
        }
    }

    async fn go_on(&mut self, begun: Begun) -> Result<(), End> {
        match begun {
            Begun::Done(answer) => self.feed(answer).await,
            Begun::UnderWay(answer) => {
                self.under_way.push(answer);
                Ok(())
            }
            Begun::Placed => Ok(()),
        }
    }

    /// Answers a placement and those whose outcomes are there too.
    async fn conclude(&mut self, outcome: Tagged) -> Result<(), End> {
        self.conclude_one(outcome).await?;
        for _ in 1..TURN_MAX {
            match self.operations.placements.try_next() {
                Some(outcome) => self.conclude_one(outcome).await?,
                None => break,
            }
        }
        Ok(())
    }

    async fn conclude_one(&mut self, outcome: Tagged) -> Result<(), End> {
        let Operations {
            placements, shared, ..
        } = &mut self.operations;
        match placements.conclude(outcome, shared) {
            Some(begun) => self.go_on(begun).await,
            None => Ok(()),
        }
    }

    /// Writes an answer and those that are ready too.
    async fn answer(&mut self, answer: Utf8Bytes) -> Result<(), End> {
        self.feed(answer).await?;
        for _ in 1..TURN_MAX {
            match self.under_way.next().now_or_never() {
                Some(Some(answer)) => self.feed(answer).await?,
                Some(None) | None => break,
            }
        }
        Ok(())
    }

    /// Writes an event and those that wait behind it.
    async fn carry(&mut self, event: Outgoing) -> Result<(), End> {
        self.feed_event(event).await?;
        for _ in 1..TURN_MAX {
            match self.events.try_recv() {
                Ok(event) => self.feed_event(event).await?,
                Err(_) => break,
            }
        }
        Ok(())
    }

    async fn feed_event(&mut self, event: Outgoing) -> Result<(), End> {
        match event.into_text() {
            Some(text) => self.feed(text).await,
            None => Ok(()),
        }
    }

    async fn ping(&mut self) -> Result<(), End> {
        if self.last_heard.elapsed() > SILENCE_MAX {
            return Err(End::Closed(
                CloseCode::Policy,
                "nothing was heard for too long",
            ));
        }
        let ping = self.socket.feed(Message::Ping(Bytes::new()));
        in_time(ping).await
    }

    async fn feed(&mut self, text: Utf8Bytes) -> Result<(), End> {
        in_time(self.socket.feed(Message::Text(text))).await
    }

    async fn flush(&mut self) -> Result<(), End> {
        in_time(self.socket.flush()).await
    }
}

/// Waits until the client may go on no longer: its key is revoked, or it shows none in time.
async fn refused(caller: Option<Caller>, auth_ends: Instant) -> End {
    match caller {
        Some(caller) => {
            caller.revoked().await;
            End::Closed(CloseCode::Policy, "the key was revoked")
        }
        None => {
            sleep_until(auth_ends).await;
            End::Closed(CloseCode::Policy, "no key was shown in time")
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Who told of the stop may be gone: then everything is.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn in_time(writing: impl Future<Output = Result<(), Error>>) -> Result<(), End> {
    match timeout(WRITE_TIME_MAX, writing).await {
        Ok(written) => written.map_err(|error| end_of(&error)),
        Err(_) => Err(End::Gone),
    }
}

fn end_of(error: &Error) -> End {
    match error {
        Error::Capacity(_) => End::Closed(CloseCode::Size, "a frame has too many bytes"),
        Error::Utf8(_) => End::Closed(CloseCode::Invalid, "a text frame is not UTF-8"),
        Error::Protocol(_) => End::Closed(CloseCode::Protocol, "the protocol was not kept"),
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Io(_)
        | Error::Tls(_)
        | Error::WriteBufferFull(_)
        | Error::AttackAttempt
        | Error::Url(_)
        | Error::Http(_)
        | Error::HttpFormat(_) => End::Gone,
    }
}

/// Says why, and reads on for a while: to close with bytes unread would reset the connection,
/// and the client might never see the reason.
async fn close(mut socket: WebSocketStream<Upgraded>, end: End) {
    let frame = match end {
        End::Gone => None,
        End::Closed(code, reason) => Some(CloseFrame {
            code,
            reason: reason.into(),
        }),
        End::Stopping => Some(CloseFrame {
            code: CloseCode::Away,
            reason: "the server stops".into(),
        }),
    };
    let saying = async {
        if socket.close(frame).await.is_ok() {
            let mut unread = [0; 4096];
            while socket
                .get_mut()
                .read(&mut unread)
                .await
                .is_ok_and(|read| read > 0)
            {}
        }
    };
    // Who does not take it in time is cut off.
    let _ = timeout(CLOSING_TIME_MAX, saying).await;
}
