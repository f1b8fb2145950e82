//! Who is told what, and when: nothing before it is flushed, and everything accepted in the end.

use super::*;

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
    let (sender, mut outcomes) = mpsc::channel(1_000);
    let submit = |tag: u64, symbol: &str| {
        let permit = sender.clone().try_reserve_owned().unwrap();
        let command = place(&format!("o{tag}"), Side::Buy, 100, 5);
        let responder = Responder::tagged(tag, permit);
        exchange
            .router()
            .submit(&handle(&exchange, symbol), command, responder)
            .unwrap();
    };
    submit(0, "SOL-USD");
    until(|| journal.appends_begun() == 1).await;
    for tag in 1..=200 {
        submit(tag, if tag % 2 == 0 { "BTC-USD" } else { "ETH-USD" });
    }
    journal.go_on();
    let mut answered = Vec::new();
    while answered.len() < 201 {
        let tagged = outcomes.recv().await.unwrap();
        assert!(matches!(tagged.outcome, Ok(Answer::Placed(_))));
        answered.push(tagged.tag);
    }
    let of_btc: Vec<u64> = answered
        .iter()
        .copied()
        .filter(|tag| *tag > 0 && tag % 2 == 0)
        .collect();
    assert!(
        of_btc.is_sorted(),
        "answers come in the order of the commands: {of_btc:?}"
    );
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
    let (sender, mut outcomes) = mpsc::channel(100_000);
    let mut accepted = 0;
    // The shard decides ahead of the flush up to a batch's bounds; then its queue fills.
    let refused = loop {
        let permit = sender.clone().try_reserve_owned().unwrap();
        let command = place(&format!("o{accepted}"), Side::Buy, 100, 5);
        match exchange
            .router()
            .submit(&btc, command, Responder::tagged(accepted, permit))
        {
            Ok(()) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, CallError::Overloaded);
    journal.go_on();
    for tag in 0..accepted {
        let tagged = outcomes.recv().await.unwrap();
        assert_eq!(tagged.tag, tag);
        assert!(matches!(tagged.outcome, Ok(Answer::Placed(_))));
    }
    let last = accepted;
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
