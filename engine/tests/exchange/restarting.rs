//! What a start makes of a journal, and of a clock that was set back.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_has_the_same_orders_changes_and_counters() {
    let journal = MemoryJournal::default();
    let (exchange, before) = start(&journal, 100);
    let btc = handle(&exchange, "BTC-USD");
    let router = Arc::clone(exchange.router());
    let mut keyed = order("keyed", Side::Sell, 101, 7);
    keyed.idempotency_key = Some(IdempotencyKey::new("k").unwrap());
    let first = router
        .call(&btc, Command::Place(keyed.clone()))
        .await
        .unwrap();
    router
        .call(&btc, place("a", Side::Buy, 101, 3))
        .await
        .unwrap();
    router
        .call(&btc, place("b", Side::Buy, 99, 3))
        .await
        .unwrap();
    router.call(&btc, cancel("b")).await.unwrap();
    router
        .call(&btc, place("c", Side::Buy, 98, 3))
        .await
        .unwrap();
    exchange.stop().await;

    let (exchange, after) = start(&journal, 100);
    let btc = handle(&exchange, "BTC-USD");
    let router = Arc::clone(exchange.router());
    assert_eq!(
        *before.changes.lock().unwrap(),
        *after.changes.lock().unwrap()
    );
    assert_eq!(btc.market_data().read().sequence().get(), 5);
    let Answer::Placed(first) = first else {
        panic!("{first:?}")
    };
    let Ok(Answer::Replayed(again)) = router.call(&btc, Command::Place(keyed)).await else {
        panic!("the key is remembered")
    };
    assert_eq!(*again.order, first.order);
    assert!(matches!(
        router.locate(&OrderId::new("c").unwrap()),
        Location::On(found) if found.instrument().symbol.as_str() == "BTC-USD"
    ));
    let Ok(Answer::Cancelled(cancelled)) = router.call(&btc, cancel("c")).await else {
        panic!("the order still rests")
    };
    assert_eq!(cancelled.updated.get(), 6);
    exchange.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_without_its_beginning_is_refused() {
    let journal = MemoryJournal::default();
    let (exchange, _) = start(&journal, 100);
    let router = Arc::clone(exchange.router());
    for (id, symbol) in [("a", "BTC-USD"), ("b", "ETH-USD")] {
        let to = handle(&exchange, symbol);
        router
            .call(&to, place(id, Side::Buy, 100, 5))
            .await
            .unwrap();
    }
    exchange.stop().await;
    journal.lose_oldest(1);
    let error = Exchange::start(setup(&journal, 100).0)
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("begins at position 2"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_sweeps_more_than_a_frame_holds_is_read_back_whole() {
    let journal = MemoryJournal::default();
    let (exchange, _) = start(&journal, 100_000);
    let btc = handle(&exchange, "BTC-USD");
    let router = Arc::clone(exchange.router());
    let makers = 90_000;
    let mut outcomes = Vec::new();
    for number in 0..makers {
        let (responder, outcome) = Responder::single();
        let command = place(
            &format!("maker-{number}"),
            Side::Sell,
            100 + number % 1_000,
            5,
        );
        router.deliver(&btc, command, responder).await;
        outcomes.push(outcome);
    }
    for outcome in outcomes {
        outcome.await.unwrap().unwrap();
    }
    let sweep = place("sweep", Side::Buy, 2_000, 5 * makers);
    let Ok(Answer::Placed(swept)) = router.call(&btc, sweep).await else {
        panic!("placed")
    };
    assert_eq!(
        (swept.order.state, swept.order.trade_count),
        (OrderState::Filled, makers)
    );
    assert!(
        journal
            .frames()
            .iter()
            .any(|frame| frame.part == Part::MoreFollows)
    );
    exchange.stop().await;

    let (exchange, _) = start(&journal, 100);
    let market_data = handle(&exchange, "BTC-USD");
    let market_data = market_data.market_data().read();
    assert_eq!(
        market_data.order_with_trades(&OrderId::new("sweep").unwrap()),
        Some(KnownOrder::Whole(swept))
    );
    assert!(market_data.order_book(10).asks.is_empty());
}

#[tokio::test]
async fn no_stamp_is_before_the_instrument_was_listed() {
    let journal = MemoryJournal::default();
    let (mut setup, _seen) = setup(&journal, 10);
    let listed_at = Timestamp::from_microseconds(1_000_000);
    // Since then the machine's clock was set back.
    setup.clock = Arc::new(TestClock::default());
    for (instrument, _) in &mut setup.instruments {
        let listed = Instrument {
            listed_at,
            ..Instrument::clone(instrument)
        };
        *instrument = Arc::new(listed);
    }
    let exchange = Exchange::start(setup).unwrap();
    let bitcoin = handle(&exchange, "BTC-USD");
    assert_eq!(bitcoin.market_data().read().timestamp(), listed_at);
    let command = place("a", Side::Buy, 100, 1);
    exchange.router().call(&bitcoin, command).await.unwrap();
    assert_eq!(bitcoin.market_data().read().timestamp(), listed_at);
    exchange.stop().await;
}
