//! Who is told what, and when: nothing before it is flushed, and everything accepted in the end.

use std::pin::Pin;
use std::task::{Context, Poll, Wake, Waker};

use shardbook_engine::responder::Outcome;
use tokio::sync::oneshot;

use super::*;

/// In which order outcomes that a test waits for were told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<usize>>>);

/// Puts down its number once there is an outcome.
struct Note {
    number: usize,
    told: Told,
}

impl Wake for Note {
    fn wake(self: Arc<Self>) {
        self.told.0.lock().unwrap().push(self.number);
    }
}

impl Told {
    /// Notes from now on which of the outcomes, none of which is told yet, are.
    fn of(outcomes: &mut [oneshot::Receiver<Outcome>]) -> Self {
        let told = Self::default();
        for (number, outcome) in outcomes.iter_mut().enumerate() {
            let told = told.clone();
            let waker = Waker::from(Arc::new(Note { number, told }));
            let polled = Pin::new(outcome).poll(&mut Context::from_waker(&waker));
            assert_eq!(polled, Poll::Pending);
        }
        told
    }

    /// The outcomes' numbers as they were told, once all are.
    async fn all(&self, outcomes: &[oneshot::Receiver<Outcome>]) -> Vec<usize> {
        until(|| self.0.lock().unwrap().len() == outcomes.len()).await;
        self.0.lock().unwrap().clone()
    }
}

fn assert_placed(outcomes: &mut [oneshot::Receiver<Outcome>]) {
    for outcome in outcomes {
        assert!(matches!(outcome.try_recv(), Ok(Ok(Answer::Placed(_)))));
    }
}

#[tokio::test]
async fn nothing_is_answered_read_or_published_before_it_is_flushed() {
    let journal = MemoryJournal::default();
    let (exchange, seen) = start(&journal, 100);
    let btc = handle(&exchange, "BTC-USD");
    let id = OrderId::new("a").unwrap();
    journal.hold();
    let (responder, mut outcome) = Responder::single();
    exchange
        .router()
        .submit(&btc, place("a", Side::Buy, 100, 5), responder)
        .unwrap();
    until(|| journal.appends_begun() == 1).await;
    assert!(outcome.try_recv().is_err());
    assert!(btc.market_data().read().order(&id).is_none());
    assert!(seen.changes.lock().unwrap().is_empty());
    journal.go_on();
    assert!(matches!(outcome.await.unwrap(), Ok(Answer::Placed(_))));
    assert!(btc.market_data().read().order(&id).is_some());
    assert!(!seen.changes.lock().unwrap().is_empty());
    exchange.stop().await;
}

#[tokio::test]
async fn a_refusal_waits_for_what_it_saw() {
    let journal = MemoryJournal::default();
    let (exchange, _) = start(&journal, 100);
    let btc = handle(&exchange, "BTC-USD");
    journal.hold();
    let (responder, first) = Responder::single();
    exchange
        .router()
        .submit(&btc, place("a", Side::Buy, 100, 5), responder)
        .unwrap();
    until(|| journal.appends_begun() == 1).await;
    let (responder, mut second) = Responder::single();
    exchange
        .router()
        .submit(&btc, place("a", Side::Buy, 100, 5), responder)
        .unwrap();
    let (responder, mut third) = Responder::single();
    exchange
        .router()
        .submit(&btc, cancel("nobody"), responder)
        .unwrap();
    // On this one thread, what has left the queue has been decided.
    until(|| btc.queue_length() == 0).await;
    assert!(second.try_recv().is_err());
    assert!(third.try_recv().is_err());
    journal.go_on();
    assert!(matches!(first.await.unwrap(), Ok(Answer::Placed(_))));
    assert_eq!(
        second.await.unwrap(),
        Err(CallError::Refused(Refusal::DuplicateOrderId))
    );
    assert_eq!(
        third.await.unwrap(),
        Err(CallError::Refused(Refusal::OrderNotOpen))
    );
    exchange.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_during_a_flush_goes_out_in_the_next_for_all_shards_together() {
    let journal = MemoryJournal::default();
    let (exchange, _) = start(&journal, 1_000);
    journal.hold();
    let submit = |number: usize, symbol: &str| {
        let command = place(&format!("o{number}"), Side::Buy, 100, 5);
        let (responder, outcome) = Responder::single();
        exchange
            .router()
            .submit(&handle(&exchange, symbol), command, responder)
            .unwrap();
        outcome
    };
    let mut outcomes = vec![submit(0, "SOL-USD")];
    until(|| journal.appends_begun() == 1).await;
    for number in 1..=200 {
        let symbol = ["BTC-USD", "ETH-USD"][number % 2];
        outcomes.push(submit(number, symbol));
    }
    let told = Told::of(&mut outcomes);
    journal.go_on();
    let told = told.all(&outcomes).await;
    let of_btc: Vec<_> = told
        .into_iter()
        .filter(|number| *number > 0 && number % 2 == 0)
        .collect();
    assert!(
        of_btc.is_sorted(),
        "answers come in the order of the commands: {of_btc:?}"
    );
    assert_placed(&mut outcomes);
    assert!(
        journal.frames().len() < 50,
        "{} flushes for 201 orders",
        journal.frames().len()
    );
    exchange.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_says_so_at_once_and_loses_nothing() {
    let journal = MemoryJournal::default();
    let (exchange, _) = start(&journal, 4);
    let btc = handle(&exchange, "BTC-USD");
    journal.hold();
    let mut accepted = Vec::new();
    // The shard decides ahead of the flush up to a batch's bounds; then its queue fills.
    let refused = loop {
        let (responder, outcome) = Responder::single();
        let command = place(&format!("o{}", accepted.len()), Side::Buy, 100, 5);
        match exchange.router().submit(&btc, command, responder) {
            Ok(()) => accepted.push(outcome),
            Err(error) => break error,
        }
    };
    assert_eq!(refused, CallError::Overloaded);
    let told = Told::of(&mut accepted);
    journal.go_on();
    assert!(told.all(&accepted).await.is_sorted());
    assert_placed(&mut accepted);
    let last = accepted.len();
    assert!(matches!(
        exchange
            .router()
            .locate(&OrderId::new(&format!("o{last}")).unwrap()),
        Location::Nowhere
    ));
    exchange.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_answers_everything_accepted() {
    let journal = MemoryJournal::default();
    let (exchange, _) = start(&journal, 10_000);
    let btc = handle(&exchange, "BTC-USD");
    journal.hold();
    let mut outcomes = Vec::new();
    for number in 0..5_000 {
        let (responder, outcome) = Responder::single();
        let command = place(&format!("o{number}"), Side::Buy, 100, 5);
        exchange.router().submit(&btc, command, responder).unwrap();
        outcomes.push(outcome);
    }
    let router = Arc::clone(exchange.router());
    let stopping = tokio::spawn(exchange.stop());
    journal.go_on();
    stopping.await.unwrap();
    for outcome in outcomes {
        assert!(matches!(outcome.await.unwrap(), Ok(Answer::Placed(_))));
    }
    let late = router.call(&btc, place("late", Side::Buy, 100, 5)).await;
    assert_eq!(late, Err(CallError::ShardRestarting));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mass_cancel_takes_a_thousand_at_a_time_until_none_is_left() {
    let (exchange, _) = start(&MemoryJournal::default(), 10_000);
    let btc = handle(&exchange, "BTC-USD");
    let router = Arc::clone(exchange.router());
    for number in 0..2_500 {
        let command = place(&format!("o{number}"), Side::Buy, 100, 5);
        let (responder, _) = Responder::single();
        router.deliver(&btc, command, responder).await;
    }
    let mass_cancel = Command::MassCancel(MassCancel {
        client: client("alice"),
        side: None,
        reason: CancelReason::MassCancel,
    });
    let mut cancelled = Vec::new();
    loop {
        let answer = router.call(&btc, mass_cancel.clone()).await.unwrap();
        if answer == Answer::Unchanged {
            break;
        }
        let Answer::MassCancelled(ids) = answer else {
            panic!("{answer:?}")
        };
        cancelled.push(ids.len());
    }
    assert_eq!(cancelled, [1_000, 1_000, 500]);
    exchange.stop().await;
}
