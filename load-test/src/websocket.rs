//! Requests over WebSockets: many in flight on each connection.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::pace::Wanted;
use crate::run::{ANSWER_WAIT, Run, Target};
use crate::workload::Action;

/// How many answers that have come are counted at once.
const ANSWERS_AT_ONCE: usize = 256;

/// A connection to the exchange.
pub(crate) type Socket = WebSocketStream<TcpStream>;

/// What is in flight on a connection. A request's id is its slot here.
#[derive(Debug)]
struct InFlight {
    /// A permit for each free slot.
    room: Semaphore,
    slots: Mutex<Slots>,
}

#[derive(Debug)]
struct Slots {
    free: Vec<usize>,
    /// When each request was due; `None` where none is in flight.
    due: Vec<Option<Instant>>,
}

/// Connects.
///
/// # Errors
/// When nobody listens there, or not for WebSockets.
pub(crate) async fn connect(target: &Target) -> Result<Socket> {
    let mut request = format!("ws://{}/stream", target.address).into_client_request()?;
    if let Some(key) = &target.key {
        request.headers_mut().insert("x-api-key", key.parse()?);
    }
    let stream = target.connect().await?;
    let (socket, _) = tokio_tungstenite::client_async(request, stream).await?;
    Ok(socket)
}

/// Sends what is due while no more than `in_flight_max` are unanswered, until the run is over and
/// all are answered.
///
/// # Errors
/// When the exchange answers what no exchange would. A connection that ends early is counted.
pub(crate) async fn send_pipelined(
    socket: Socket,
    run: Arc<Run>,
    in_flight_max: u32,
) -> Result<()> {
    let (sink, answers) = socket.split();
    let in_flight = Arc::new(InFlight::new(in_flight_max)?);
    let mut reader = tokio::spawn(count_answers(
        answers,
        Arc::clone(&run),
        Arc::clone(&in_flight),
    ));
    let ended = tokio::select! {
        sent = send_what_is_due(sink, &run, &in_flight, in_flight_max) => sent,
        read = &mut reader => read?,
    };
    reader.abort();
    if let Err(error) = ended {
        let unanswered = in_flight.slots.lock().unanswered();
        run.tally.lock().failed(unanswered.max(1), &error);
    }
    Ok(())
}

async fn send_what_is_due(
    mut sink: SplitSink<Socket, Message>,
    run: &Run,
    in_flight: &InFlight,
    in_flight_max: u32,
) -> Result<()> {
    loop {
        // One sender takes room on a connection, so what is seen free stays so.
        in_flight.room.acquire().await?.forget();
        let more = u32::try_from(in_flight.room.available_permits())?;
        let wanted = Wanted {
            least: 1,
            most: 1 + more,
        };
        let Some(turn) = run.pace.take(wanted).await else {
            in_flight.room.add_permits(1);
            break;
        };
        in_flight
            .room
            .forget_permits(usize::try_from(turn.count() - 1)?);
        for (number, due) in turn.requests() {
            let slot = in_flight.slots.lock().take(due)?;
            sink.feed(Message::text(operation(run, number, slot)))
                .await?;
        }
        sink.flush().await?;
    }
    let all = in_flight.room.acquire_many(in_flight_max);
    let _ = tokio::time::timeout(ANSWER_WAIT, all)
        .await
        .context("no answer came")??;
    sink.close().await?;
    Ok(())
}

fn operation(run: &Run, number: u64, slot: usize) -> String {
    match run.workload.action(number) {
        Action::Place => {
            let mut text = format!("{{\"op\":\"place\",\"id\":{slot},\"order\":");
            run.workload.write_order(number, &mut text);
            text.push('}');
            text
        }
        Action::Cancel(target) => {
            let mut text = format!("{{\"op\":\"cancel\",\"id\":{slot},\"order_id\":\"");
            run.workload.write_order_id(target, &mut text);
            text.push_str("\"}");
            text
        }
    }
}

async fn count_answers(
    answers: SplitStream<Socket>,
    run: Arc<Run>,
    in_flight: Arc<InFlight>,
) -> Result<()> {
    let mut answers = answers.ready_chunks(ANSWERS_AT_ONCE);
    while let Some(chunk) = answers.next().await {
        let now = Instant::now();
        let mut answered = 0;
        let mut slots = in_flight.slots.lock();
        let mut tally = run.tally.lock();
        for message in chunk {
            let Message::Text(text) = message? else {
                continue;
            };
            let (slot, status) = answer(&text)?;
            tally.answered(slots.give_back(slot)?, now, status)?;
            answered += 1;
        }
        drop((slots, tally));
        in_flight.room.add_permits(answered);
    }
    bail!("the connection ended")
}

/// An answer's id and status, which stand at its beginning. The rest is not parsed: at some
/// hundred thousand answers a second that would take what the exchange needs.
fn answer(text: &str) -> Result<(usize, u16)> {
    let id = number_after(text, "\"id\":").and_then(|id| id.parse().ok());
    let status = number_after(text, "\"status\":").and_then(|status| status.parse().ok());
    id.zip(status)
        .with_context(|| format!("not the answer to a request: {text}"))
}

fn number_after<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = text.split_once(name)?;
    let end = after.find(|character: char| !character.is_ascii_digit());
    after.get(..end.unwrap_or(after.len()))
}

impl InFlight {
    fn new(most: u32) -> Result<Self> {
        let most = usize::try_from(most)?;
        Ok(Self {
            room: Semaphore::new(most),
            slots: Mutex::new(Slots {
                free: (0..most).rev().collect(),
                due: vec![None; most],
            }),
        })
    }
}

impl Slots {
    fn take(&mut self, due: Instant) -> Result<usize> {
        let slot = self.free.pop().context("there is room")?;
        let place = self.due.get_mut(slot).context("each slot has its place")?;
        *place = Some(due);
        Ok(slot)
    }

    fn give_back(&mut self, slot: usize) -> Result<Instant> {
        let due = self.due.get_mut(slot).and_then(Option::take);
        ensure!(due.is_some(), "an answer to no request: id {slot}");
        self.free.push(slot);
        due.context("looked at above")
    }

    fn unanswered(&self) -> u64 {
        let count = self.due.iter().filter(|due| due.is_some()).count();
        u64::try_from(count).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_and_status_are_the_answers_own_and_not_its_orders() {
        let placed =
            r#"{"type":"result","id":7,"status":201,"order":{"order_id":"5","status":"open"}}"#;
        assert_eq!(answer(placed).unwrap(), (7, 201));
        let refused = r#"{"type":"error","id":12,"status":422,"problem":{"status":400}}"#;
        assert_eq!(answer(refused).unwrap(), (12, 422));
        for other in [r#"{"type":"error","id":null,"status":400}"#, "{}", ""] {
            assert!(answer(other).is_err(), "{other}");
        }
    }
}
