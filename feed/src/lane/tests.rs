use std::sync::Mutex;

use shardbook_engine::answer::Answer;
use shardbook_engine::command::FeedSource;
use shardbook_engine::id::InstrumentId;
use shardbook_engine::responder::CallError;
use shardbook_engine::shard::FeedAtStart;
use shardbook_engine::side::Side;
use shardbook_engine::time::Timestamp;
use tokio::sync::oneshot;

use super::*;
use crate::hole::{Hole, Print};
use crate::message::{DepthDiff, DepthSnapshot, Level, Trade};
use crate::status::SkipReason;
use crate::test_support::instrument;
use crate::trades::Holes;

/// An exchange that answers when it is told to.
#[derive(Clone, Default)]
struct Scripted {
    delivered: Arc<Mutex<Vec<Delivered>>>,
}

struct Delivered {
    said: String,
    reply: Option<oneshot::Sender<Outcome>>,
}

impl Sink for Scripted {
    fn feed_at_start(&self, _: InstrumentId) -> FeedAtStart {
        FeedAtStart::default()
    }

    async fn deliver(&self, _: InstrumentId, command: Command) -> Receipt {
        let (reply, receipt) = oneshot::channel();
        self.delivered.lock().unwrap().push(Delivered {
            said: said(&command),
            reply: Some(reply),
        });
        receipt
    }
}

fn said(command: &Command) -> String {
    match command {
        Command::Tape(tape) => format!("trade {}", tape.first_trade_id),
        Command::Mirror(update) => format!(
            "{:?} {} with {} levels",
            update.scope,
            update.update_id,
            update.levels.len()
        ),
        Command::WithdrawMirror => String::from("withdraw"),
        Command::Place(_)
        | Command::Cancel(_)
        | Command::Amend(_)
        | Command::MassCancel(_)
        | Command::Halt
        | Command::Resume
        | Command::CloseDay(_) => panic!("{command:?} is not the feed's"),
    }
}

impl Scripted {
    fn said(&self) -> Vec<String> {
        let delivered = self.delivered.lock().unwrap();
        delivered
            .iter()
            .map(|command| command.said.clone())
            .collect()
    }

    /// Lets the lane run until so many commands are delivered.
    async fn wait_for(&self, count: usize) {
        while self.delivered.lock().unwrap().len() < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn answer(&self, index: usize, outcome: Outcome) {
        let reply = self.delivered.lock().unwrap()[index].reply.take();
        reply.expect("answered once").send(outcome).unwrap();
    }

    /// Goes away without an answer, as a shard that panicked does.
    fn drop_reply(&self, index: usize) {
        self.delivered.lock().unwrap()[index].reply = None;
    }
}

/// A lane into a scripted exchange.
struct Rig {
    lane: Lane,
    exchange: Scripted,
    status: watch::Receiver<FeedStatus>,
}

impl Rig {
    fn new() -> Self {
        Self::asking(None)
    }

    /// A lane that asks there for snapshots and missed trades.
    fn asking(inquiries: Option<Inquiries>) -> Self {
        let holes = match inquiries {
            Some(_) => Holes::Filled { taken_in: None },
            None => Holes::Counted,
        };
        let exchange = Scripted::default();
        let (sender, status) = watch::channel(FeedStatus::default());
        let instrument = instrument("1", "1");
        let lane = Lane::start(LaneParts {
            market: Market::new(Arc::clone(&instrument), FeedSource::Binance, 10, holes),
            instrument,
            symbol: String::from("BTCUSDT"),
            sink: Arc::new(exchange.clone()),
            status: sender,
            inquiries,
        });
        Self {
            lane,
            exchange,
            status,
        }
    }

    async fn tell(&self, message: Message) {
        let input = Input::Message(Arc::new(message));
        self.lane.inputs.send(input).await.unwrap();
    }

    /// Delivers this and answers it.
    async fn play(&self, message: Message, outcome: Outcome) {
        let index = self.exchange.said().len();
        self.tell(message).await;
        self.exchange.wait_for(index + 1).await;
        self.exchange.answer(index, outcome);
    }

    /// Ends the lane and says what was counted.
    async fn end(self) -> Counts {
        drop(self.lane.inputs);
        self.lane.task.await.unwrap();
        self.status.borrow().counts.clone()
    }
}

/// A way to ask, and what was asked.
fn inquiries() -> (
    Inquiries,
    mpsc::Receiver<String>,
    mpsc::Receiver<(String, FillRequest)>,
) {
    let (snapshots, snapshots_asked) = mpsc::channel(10);
    let (fills, fills_asked) = mpsc::channel(10);
    (Inquiries { snapshots, fills }, snapshots_asked, fills_asked)
}

fn trade(id: u64) -> Message {
    Message::Trade(Trade {
        symbol: String::from("BTCUSDT"),
        id,
        price: 100.into(),
        quantity: 1.into(),
        taker_side: Side::Buy,
        traded_at: Timestamp::from_microseconds(1),
        sent_at: Timestamp::from_microseconds(1),
    })
}

/// The same trade, found later.
fn print(id: u64) -> Print {
    let Message::Trade(trade) = trade(id) else {
        panic!("it is a trade")
    };
    Print::from(&trade)
}

fn level(price: u64, quantity: u64) -> Level {
    Level {
        price: price.into(),
        quantity: quantity.into(),
    }
}

fn snapshot() -> Message {
    Message::DepthSnapshot(DepthSnapshot {
        symbol: None,
        last_update_id: 1,
        bids: vec![level(99, 5), level(98, 5)],
        asks: vec![level(101, 5)],
    })
}

/// A diff that changes one level.
fn diff(id: u64) -> Message {
    Message::DepthDiff(DepthDiff {
        symbol: String::from("BTCUSDT"),
        first_update_id: id,
        last_update_id: id,
        bids: vec![level(99, 10 + id)],
        asks: Vec::new(),
        sent_at: Timestamp::from_microseconds(1),
    })
}

#[tokio::test(start_paused = true)]
async fn many_commands_are_in_flight_but_never_more_than_the_bound() {
    let rig = Rig::new();
    let bound = u64::try_from(IN_FLIGHT_MAX).unwrap();
    for id in 1..=bound + 10 {
        rig.tell(trade(id)).await;
    }
    rig.exchange.wait_for(IN_FLIGHT_MAX).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(rig.exchange.said().len(), IN_FLIGHT_MAX);
    for index in 0..IN_FLIGHT_MAX + 10 {
        rig.exchange.wait_for(index + 1).await;
        rig.exchange.answer(index, Ok(Answer::Applied));
    }
    let in_order: Vec<String> = (1..=bound + 10).map(|id| format!("trade {id}")).collect();
    assert_eq!(rig.exchange.said(), in_order);
    assert_eq!(rig.end().await.trades, bound + 10);
}

#[tokio::test(start_paused = true)]
async fn what_a_restarting_shard_did_not_take_is_delivered_again_in_order() {
    let rig = Rig::new();
    for id in 1..=4 {
        rig.tell(trade(id)).await;
    }
    rig.exchange.wait_for(4).await;
    rig.exchange.answer(0, Ok(Answer::Applied));
    rig.exchange.answer(1, Err(CallError::ShardRestarting));
    rig.exchange.drop_reply(2);
    rig.exchange.answer(3, Err(CallError::Overloaded));
    rig.tell(trade(5)).await;
    // The first try again fails too.
    rig.exchange.wait_for(5).await;
    rig.exchange.answer(4, Err(CallError::ShardRestarting));
    for index in 5..9 {
        rig.exchange.wait_for(index + 1).await;
        rig.exchange.answer(index, Ok(Answer::Applied));
    }
    let said: Vec<String> = [1, 2, 3, 4, 2, 2, 3, 4, 5]
        .map(|id| format!("trade {id}"))
        .into();
    assert_eq!(rig.exchange.said(), said);
    assert_eq!(rig.end().await.trades, 5);
}

#[tokio::test(start_paused = true)]
async fn after_a_lost_mirror_update_the_next_names_every_level() {
    let rig = Rig::new();
    rig.play(snapshot(), Ok(Answer::Applied)).await;
    rig.tell(diff(2)).await;
    rig.tell(diff(3)).await;
    rig.exchange.wait_for(3).await;
    rig.exchange.answer(1, Err(CallError::ShardRestarting));
    rig.exchange.answer(2, Ok(Answer::Applied));
    // Delivered again, and too late: a later one came through.
    rig.exchange.wait_for(4).await;
    rig.exchange.answer(3, Ok(Answer::Unchanged));
    rig.play(diff(4), Ok(Answer::Applied)).await;
    rig.play(diff(5), Ok(Answer::Applied)).await;
    assert_eq!(
        rig.exchange.said(),
        [
            "Whole 1 with 3 levels",
            "Changes 2 with 1 levels",
            "Changes 3 with 1 levels",
            "Changes 2 with 1 levels",
            "Whole 4 with 3 levels",
            "Changes 5 with 1 levels"
        ]
    );
    let counts = rig.end().await;
    assert_eq!((counts.mirror_updates, counts.mirror_unchanged), (4, 1));
}

#[tokio::test(start_paused = true)]
async fn while_a_halted_exchange_ignores_the_mirror_a_whole_one_is_offered_now_and_then() {
    let rig = Rig::new();
    rig.play(snapshot(), Ok(Answer::Applied)).await;
    for id in 2..=25 {
        rig.play(diff(id), Ok(Answer::Unchanged)).await;
    }
    let wholes = |said: Vec<String>| -> Vec<String> {
        said.into_iter()
            .filter(|said| said.starts_with("Whole"))
            .collect()
    };
    let offered = [
        "Whole 1 with 3 levels",
        "Whole 3 with 3 levels",
        "Whole 13 with 3 levels",
        "Whole 23 with 3 levels",
    ];
    assert_eq!(wholes(rig.exchange.said()), offered);
    // Trading goes on, and no diff comes: the whole mirror is stated all the same.
    let said = rig.exchange.said().len();
    rig.exchange.wait_for(said + 1).await;
    rig.exchange.answer(said, Ok(Answer::Applied));
    assert_eq!(wholes(rig.exchange.said())[4..], ["Whole 25 with 3 levels"]);
    assert_eq!(rig.end().await.mirror_unchanged, 24);
}

#[tokio::test(start_paused = true)]
async fn an_end_right_after_a_lost_update_leaves_the_whole_mirror() {
    let rig = Rig::new();
    rig.play(snapshot(), Ok(Answer::Applied)).await;
    rig.tell(diff(2)).await;
    rig.tell(diff(3)).await;
    rig.exchange.wait_for(3).await;
    rig.exchange.answer(1, Err(CallError::ShardRestarting));
    rig.exchange.answer(2, Ok(Answer::Applied));
    rig.exchange.wait_for(4).await;
    rig.exchange.answer(3, Ok(Answer::Unchanged));
    let exchange = rig.exchange.clone();
    let end = tokio::spawn(rig.end());
    // At the place of an update that was taken in, the whole says nothing new, unless the mirror
    // is gone.
    exchange.wait_for(6).await;
    exchange.answer(4, Ok(Answer::Applied));
    exchange.answer(5, Ok(Answer::Applied));
    end.await.unwrap();
    assert_eq!(exchange.said()[4..], ["withdraw", "Whole 3 with 3 levels"]);
}

#[tokio::test(start_paused = true)]
async fn trades_behind_a_hole_wait_until_it_is_filled() {
    let (inquiries, _snapshots, mut asked) = inquiries();
    let rig = Rig::asking(Some(inquiries));
    rig.play(trade(1), Ok(Answer::Applied)).await;
    rig.tell(trade(4)).await;
    rig.tell(trade(5)).await;
    let hole = Hole { first: 2, last: 3 };
    let newest = FillRequest::Newest { hole };
    assert_eq!(asked.recv().await, Some((String::from("BTCUSDT"), newest)));
    assert_eq!(rig.exchange.said(), ["trade 1"]);
    let found = vec![print(2), print(3), print(4)];
    let fill = Input::Fill(Fill { hole, found });
    rig.lane.inputs.send(fill).await.unwrap();
    rig.exchange.wait_for(5).await;
    for index in 1..5 {
        rig.exchange.answer(index, Ok(Answer::Applied));
    }
    assert_eq!(
        rig.exchange.said(),
        ["trade 1", "trade 2", "trade 3", "trade 4", "trade 5"]
    );
    let counts = rig.end().await;
    assert_eq!(
        (counts.trades, counts.trades_filled, counts.gaps),
        (5, 2, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn where_no_one_takes_the_question_the_hole_is_a_gap_at_once() {
    let (inquiries, _snapshots, asked) = inquiries();
    drop(asked);
    let rig = Rig::asking(Some(inquiries));
    rig.play(trade(1), Ok(Answer::Applied)).await;
    rig.play(trade(4), Ok(Answer::Applied)).await;
    let counts = rig.end().await;
    assert_eq!(
        (counts.trades, counts.gaps, counts.trades_missed),
        (2, 1, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_mirror_comes_back_whole() {
    let rig = Rig::new();
    rig.play(snapshot(), Ok(Answer::Applied)).await;
    rig.lane.inputs.send(Input::Withdraw).await.unwrap();
    rig.exchange.wait_for(2).await;
    rig.exchange.answer(1, Ok(Answer::Applied));
    rig.play(diff(2), Ok(Answer::Applied)).await;
    assert_eq!(
        rig.exchange.said(),
        ["Whole 1 with 3 levels", "withdraw", "Whole 2 with 3 levels"]
    );
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_book_that_is_lost_for_long_is_withdrawn_and_its_snapshot_asked_for_once() {
    let (inquiries, mut asked, _) = inquiries();
    let rig = Rig::asking(Some(inquiries));
    rig.play(snapshot(), Ok(Answer::Applied)).await;
    // Diff 2 is missing, and no snapshot comes for a long time.
    for id in 3..3 + 2 * DIFFS_WITHOUT_BOOK_MAX {
        rig.tell(diff(id)).await;
    }
    rig.exchange.wait_for(2).await;
    rig.exchange.answer(1, Ok(Answer::Applied));
    let late = Message::DepthSnapshot(DepthSnapshot {
        symbol: None,
        last_update_id: 1_000,
        bids: vec![level(50, 1)],
        asks: Vec::new(),
    });
    rig.play(late, Ok(Answer::Applied)).await;
    assert_eq!(
        rig.exchange.said(),
        [
            "Whole 1 with 3 levels",
            "withdraw",
            "Whole 1000 with 1 levels"
        ]
    );
    assert_eq!(rig.end().await.gaps, 1);
    assert_eq!(asked.recv().await.as_deref(), Some("BTCUSDT"));
    assert_eq!(asked.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_refused_command_is_counted_and_not_tried_again() {
    let rig = Rig::new();
    let refusal = shardbook_engine::answer::Refusal::FeedOrder;
    rig.play(trade(1), Err(CallError::Refused(refusal))).await;
    rig.play(trade(2), Ok(Answer::Unchanged)).await;
    rig.play(trade(3), Ok(Answer::Applied)).await;
    assert_eq!(rig.exchange.said(), ["trade 1", "trade 2", "trade 3"]);
    let counts = rig.end().await;
    assert_eq!(counts.trades, 1);
    assert_eq!(counts.skipped(SkipReason::Refused), 1);
    assert_eq!(counts.skipped(SkipReason::IgnoredByExchange), 1);
}
