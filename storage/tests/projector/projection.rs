//! Whatever happened is projected once, wherever the projector was killed or restarted.

use super::*;

#[tokio::test]
async fn any_history_is_projected_as_it_was() {
    for (seed, place) in (1..).zip(Place::both()) {
        let mut exchange = Exchange::new(seed);
        exchange.happen(1_500);
        let database = place.open().await;
        let handle = exchange.project(&database).await;
        exchange.assert_projected(&database).await;
        let lag = handle.lag(Timestamp::from_microseconds(u64::MAX)).unwrap();
        assert_eq!((lag.records, lag.age), (0, Duration::ZERO));
    }
}

#[tokio::test]
async fn a_restart_goes_on_from_the_middle() {
    for place in Place::both() {
        let mut exchange = Exchange::new(3);
        for _ in 0..4 {
            exchange.happen(150);
            let database = place.open().await;
            exchange.project(&database).await;
            exchange.assert_projected(&database).await;
            database.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn whenever_it_is_killed_nothing_is_lost_and_nothing_comes_twice() {
    for place in Place::both() {
        let mut exchange = Exchange::new(4);
        let database = place.open().await;
        let mut polls = Random::seeded(5);
        let (mut kills, mut ends) = (0, 0);
        while kills < 20 {
            exchange.happen(40);
            admitted(&exchange, &database).await;
            let (projector, handle) = exchange.projector(&database, limits(9));
            // How far so many polls go depends on the machine; one never reaches the end.
            let most = if ends > kills { 1 } else { 1 + polls.below(30) };
            if killed_after(most, projector.run(async {})).await.is_none() {
                kills += 1;
            } else {
                ends += 1;
                assert!(ends < 50, "it is hardly ever killed: {:?}", handle.status());
            }
        }
        admitted(&exchange, &database).await;
        exchange.project(&database).await;
        exchange.assert_projected(&database).await;
    }
}

#[tokio::test]
async fn two_projectors_on_one_database_write_everything_once() {
    for place in Place::both() {
        let mut exchange = Exchange::new(6);
        exchange.happen(400);
        let (one, other) = (place.open().await, place.open().await);
        exchange.projector(&one, limits(5)).0.admit().await.unwrap();
        let (first, _) = exchange.projector(&one, limits(5));
        let (second, _) = exchange.projector(&other, limits(7));
        tokio::join!(first.run(async {}), second.run(async {}));
        exchange.project(&one).await;
        exchange.assert_projected(&one).await;
    }
}

#[tokio::test]
async fn it_follows_the_journal_while_it_runs() {
    for place in Place::both() {
        let mut exchange = Exchange::new(8);
        let database = place.open().await;
        let (projector, mut handle) = exchange.projector(&database, limits(1_000));
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(projector.run(async {
            let _ = stopped.await;
        }));
        for _ in 0..5 {
            exchange.happen(40);
            caught_up(&exchange, &mut handle).await;
            exchange.assert_projected(&database).await;
        }
        exchange.happen(40);
        stop.send(()).unwrap();
        running.await.unwrap();
        exchange.assert_projected(&database).await;
    }
}

#[test]
fn histories_have_everything_in_them() {
    let mut exchange = Exchange::new(1);
    exchange.happen(1_500);
    let shown = || exchange.markets.iter().flat_map(Market::shown);
    let mirrored = |placed: OrderRef| placed.index > 0;
    assert!(shown().any(|order| mirrored(order.placed) && order.is_open()));
    assert!(shown().any(|order| mirrored(order.placed)
        && order.updated > order.placed.sequence
        && matches!(order.state, OrderState::Cancelled(_))));
    assert!(shown().any(|order| matches!(order.state, OrderState::Rejected(_))));
    assert!(shown().any(|order| order.client.is_feed() && !mirrored(order.placed)));
    assert!(shown().any(|order| order.trade_count > 2 && order.state == OrderState::Filled));
}
