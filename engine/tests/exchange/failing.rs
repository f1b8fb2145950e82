//! A journal that fails, or has no room for a while.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_flush_ends_everything_and_answers_nobody_well() {
    let journal = MemoryJournal::default();
    let (exchange, seen) = start(&journal, 100);
    let btc = handle(&exchange, "BTC-USD");
    journal.fail();
    let outcome = exchange
        .router()
        .call(&btc, place("a", Side::Buy, 100, 5))
        .await;
    assert_eq!(outcome, Err(CallError::ShardRestarting));
    assert!(seen.fatal.lock().unwrap()[0].contains("as the test asked"));
    assert!(seen.changes.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_in_the_journal_nothing_is_let_in_until_there_is_some() {
    let journal = MemoryJournal::default();
    let (exchange, seen) = start(&journal, 100);
    let btc = handle(&exchange, "BTC-USD");
    let router = exchange.router();
    router
        .call(&btc, place("a", Side::Buy, 100, 5))
        .await
        .unwrap();
    journal.fill();
    let (responder, let_in_before) = Responder::single();
    router
        .submit(&btc, place("b", Side::Buy, 100, 5), responder)
        .unwrap();
    until(|| !btc.has_room()).await;
    for command in [place("c", Side::Buy, 100, 5), cancel("a")] {
        let refused = router.call(&btc, command).await;
        assert_eq!(refused, Err(CallError::JournalUnavailable));
    }
    assert_eq!(btc.queue_length(), 0, "no shard saw them");
    let (responder, delivered) = Responder::single();
    let delivering = tokio::spawn({
        let (router, btc) = (Arc::clone(router), Arc::clone(&btc));
        async move { router.deliver(&btc, cancel("a"), responder).await }
    });
    journal.go_on();
    assert!(matches!(
        let_in_before.await.unwrap(),
        Ok(Answer::Placed(_))
    ));
    delivering.await.unwrap();
    assert!(matches!(delivered.await.unwrap(), Ok(Answer::Cancelled(_))));
    let placed = router.call(&btc, place("c", Side::Buy, 100, 5)).await;
    assert!(matches!(placed, Ok(Answer::Placed(_))));
    exchange.stop().await;
    assert_eq!(*seen.fatal.lock().unwrap(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_finds_the_disk_full_in_its_middle_waits_for_room_and_is_whole_then() {
    const LEVELS: u64 = 60_000;
    let journal = MemoryJournal::default();
    let (exchange, seen) = start(&journal, 100);
    let btc = handle(&exchange, "BTC-USD");
    let router = exchange.router();
    journal.leave_room_for(1);
    let levels = (1..=LEVELS).map(|price| MirrorLevel {
        side: Side::Buy,
        price: Price::new(price).unwrap(),
        quantity: Quantity::new(LOTS_MAX - price).unwrap(),
    });
    let update = MirrorUpdate {
        source: FeedSource::Binance,
        snapshot_id: 1,
        update_id: 1,
        scope: MirrorScope::Whole,
        levels: levels.collect(),
    };
    let (responder, mut huge) = Responder::single();
    router
        .submit(&btc, Command::Mirror(update), responder)
        .unwrap();
    until(|| !btc.has_room()).await;
    let parts: Vec<Part> = journal.frames().iter().map(|frame| frame.part).collect();
    assert_eq!(parts, [Part::MoreFollows]);
    assert!(huge.try_recv().is_err(), "nobody is told of it");
    assert_eq!(btc.market_data().read().totals(Side::Buy).orders, 0);
    let refused = router.call(&btc, place("a", Side::Buy, 100, 5)).await;
    assert_eq!(refused, Err(CallError::JournalUnavailable));
    assert_eq!(*seen.fatal.lock().unwrap(), [""; 0]);

    journal.go_on();
    assert_eq!(huge.await.unwrap(), Ok(Answer::Applied));
    exchange.stop().await;
    assert_eq!(journal.frames().last().unwrap().part, Part::Last);
    let (exchange, _) = start(&journal, 100);
    let btc = handle(&exchange, "BTC-USD");
    assert_eq!(btc.market_data().read().totals(Side::Buy).orders, LEVELS);
    exchange.stop().await;
}
