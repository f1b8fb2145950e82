//! Databases that are away, at the start or later.

use super::*;

#[tokio::test]
async fn a_database_may_come_late_and_go_away() {
    let server = Postgres::stopped();
    let mut exchange = Exchange::new(9);
    exchange.happen(50);
    let database = Database::open(&server.default_database().parse().unwrap())
        .await
        .unwrap();
    let (projector, mut handle) = exchange.projector(&database, limits(1_000));
    assert_eq!(handle.lag(Timestamp::default()), None);
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(projector.run(async {
        let _ = stopped.await;
    }));
    let unreachable = |status: &ProjectorStatus| {
        let state = &status.database;
        matches!(state, DatabaseState::Down { reason } if reason.contains("no connection"))
    };
    handle.wait_until(unreachable).await;

    server.resume();
    caught_up(&exchange, &mut handle).await;
    exchange.assert_projected(&database).await;

    server.stop();
    exchange.happen(50);
    handle
        .wait_until(|status| status.database != DatabaseState::Up)
        .await;
    handle
        .wait_until(|status| status.oldest_waiting.is_some())
        .await;
    let lag = handle.lag(Timestamp::from_microseconds(u64::MAX)).unwrap();
    assert_eq!(lag.records, 50);
    assert!(lag.age > Duration::ZERO);

    server.resume();
    caught_up(&exchange, &mut handle).await;
    exchange.assert_projected(&database).await;
    stop.send(()).unwrap();
    running.await.unwrap();
}

#[tokio::test]
async fn an_outage_stays_in_the_journal_until_the_database_is_back() {
    let server = Postgres::stopped();
    let url = server.default_database().parse().unwrap();
    let database = Database::open(&url).await.unwrap();
    let mut exchange = Exchange::new(20);
    exchange.happen(20);
    server.resume();
    exchange.project(&database).await;
    server.stop();

    let (projector, mut handle) = exchange.projector(&database, limits(10));
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(projector.run(async {
        let _ = stopped.await;
    }));
    handle
        .wait_until(|status| status.database != DatabaseState::Up)
        .await;
    // Whatever happens while it is away stays in the journal.
    let before: usize = exchange
        .journals
        .iter()
        .map(MemoryJournal::frames_read)
        .sum();
    for _ in 0..20 {
        exchange.happen(100);
        tokio::task::yield_now().await;
    }
    let held = exchange
        .journals
        .iter()
        .map(|journal| journal.frames().len())
        .sum::<usize>();
    let read: usize = exchange
        .journals
        .iter()
        .map(MemoryJournal::frames_read)
        .sum();
    assert!(
        read - before < held / 4,
        "{read} frames were read of {held}"
    );
    server.resume();
    caught_up(&exchange, &mut handle).await;
    exchange.assert_projected(&database).await;
    stop.send(()).unwrap();
    running.await.unwrap();
}
