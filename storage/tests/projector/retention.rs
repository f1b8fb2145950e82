//! What is long closed goes, and nothing else.

use super::*;

/// A clock that stands.
struct Stopped(Timestamp);

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// Has everything projected, and everything that is too old deleted.
async fn sweep(exchange: &Exchange, database: &Database, retention: Retention, now: Timestamp) {
    let (projector, mut handle) = Projector::new(ProjectorSetup {
        database: database.clone(),
        exchange: EXCHANGE,
        logs: vec![exchange.journals[0].log(0), exchange.journals[1].log(1)],
        checkpoints: Vec::new(),
        retention,
        clock: Arc::new(Stopped(now)),
        instruments: Arc::<Heads>::clone(&exchange.heads),
        limits: ProjectorLimits {
            swept_orders: 150,
            ..limits(1_000)
        },
        on_refused: OnRefused::LeaveAlone,
    });
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(projector.run(async {
        let _ = stopped.await;
    }));
    handle.wait_until(|status| status.sweeps > 0).await;
    stop.send(()).unwrap();
    running.await.unwrap();
}

/// Compares what the database kept: all but the orders that are gone, with their events, and the
/// trades of which both are. Says how many orders are gone.
async fn assert_kept(
    database: &Database,
    market: &Market,
    is_gone: impl Fn(&Order) -> bool,
) -> usize {
    let key = |order: &Order| {
        (
            order.placed.sequence.get() as i64,
            i64::from(order.placed.index),
        )
    };
    let symbol = market.instrument.symbol.as_str();
    let kept: BTreeSet<_> = market
        .shown()
        .filter(|order| !is_gone(order))
        .map(key)
        .collect();
    let orders = order::Entity::find().filter(order::Column::Instrument.eq(symbol));
    let orders = orders.all(database.reader()).await.unwrap();
    let found: BTreeSet<_> = orders
        .iter()
        .map(|row| (row.sequence, row.mirror_index))
        .collect();
    assert_eq!(found, kept);
    let events = order_event::Entity::find().filter(order_event::Column::Instrument.eq(symbol));
    let mut found: Vec<_> = events
        .all(database.reader())
        .await
        .unwrap()
        .iter()
        .map(|row| (row.order_sequence, row.mirror_index, row.sequence))
        .collect();
    found.sort_unstable();
    let events = market
        .events
        .iter()
        .filter(|order| kept.contains(&key(order)));
    let mut expected: Vec<_> = events
        .map(|order| (key(order).0, key(order).1, order.updated.get() as i64))
        .collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
    let trades = trade::Entity::find()
        .filter(trade::Column::Instrument.eq(symbol))
        .order_by_asc(trade::Column::TradeNumber);
    let found = trades.all(database.reader()).await.unwrap();
    let found: Vec<_> = found.iter().map(|row| row.trade_number as u64).collect();
    let placed = |placed: OrderRef| (placed.sequence.get() as i64, i64::from(placed.index));
    let trades = market.trades.iter().filter(|trade| {
        kept.contains(&placed(trade.buy.placed)) || kept.contains(&placed(trade.sell.placed))
    });
    let expected: Vec<_> = trades.map(|trade| trade.number.get()).collect();
    assert_eq!(found, expected);
    market.shown().filter(|order| is_gone(order)).count()
}

#[tokio::test]
async fn what_is_long_closed_goes_with_its_events_and_trades_and_nothing_else_does() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    for place in Place::both() {
        let mut exchange = Exchange::new(19);
        exchange.happen(900);
        let database = place.open().await;
        exchange.project(&database).await;
        // Half of what rests is older, and some of what is closed is younger.
        let times = |is_open: bool| {
            let shown = exchange.markets.iter().flat_map(Market::shown);
            let chosen = shown.filter(|order| order.is_open() == is_open);
            let mut times: Vec<_> = chosen.map(|order| order.updated_at).collect();
            times.sort_unstable();
            times
        };
        let (resting, closed) = (times(true), times(false));
        let before = resting[resting.len() / 2];
        assert!(resting[0] < before && before < closed[closed.len() - 1]);
        let now = Timestamp::from_microseconds(before.microseconds() + 24 * 60 * 60 * 1_000_000);
        let is_old = |order: &Order| !order.is_open() && order.updated_at < before;
        let feed = Retention {
            orders: None,
            feed: Some(DAY),
        };
        sweep(&exchange, &database, feed, now).await;
        for market in &exchange.markets {
            let is_gone = |order: &Order| is_old(order) && order.client.is_feed();
            assert!(assert_kept(&database, market, is_gone).await > 10);
        }
        let everyone = Retention {
            orders: Some(DAY),
            feed: None,
        };
        sweep(&exchange, &database, everyone, now).await;
        for market in &exchange.markets {
            assert!(assert_kept(&database, market, is_old).await > 30);
        }
        // What rests is still there to be traded with and cancelled.
        exchange.happen(300);
        sweep(&exchange, &database, everyone, now).await;
        for market in &exchange.markets {
            assert_kept(&database, market, is_old).await;
            // What was summed up is for good.
            sums::assert_candles(&database, market).await;
            sums::assert_days(&database, market).await;
        }
    }
}
