//! Snapshots of books, written when the database has passed them.

use super::*;

/// A market's book as far as it matters here: its open orders, at its last record or later.
fn book_of(market: &Market, sequence: Sequence) -> BookSnapshot {
    let level = |price: u64, lots: u128| BookLevel {
        price: Price::new(price).unwrap(),
        volume: Volume::new(lots),
        orders: 2,
        cumulative: Volume::new(lots + 1),
    };
    BookSnapshot {
        id: Uuid::now_v7(),
        instrument: Arc::clone(&market.instrument),
        sequence,
        created_at: Timestamp::from_microseconds(1_769_860_800_000_001),
        bids: vec![level(2, u128::from(u64::MAX)), level(1, 1)],
        asks: vec![level(1_000_000_000_000, 3)],
        orders: market
            .shown()
            .filter(|order| order.is_open())
            .cloned()
            .collect(),
    }
}

#[tokio::test]
async fn a_snapshot_is_written_once_the_database_has_passed_it_and_the_newest_are_kept() {
    for place in Place::both() {
        let mut exchange = Exchange::new(19);
        exchange.happen(200);
        let database = place.open().await;
        let queries = Queries::new(database.clone());
        let (projector, handle) = exchange.projector(&database, limits(50));
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(projector.run(async {
            let _ = stopped.await;
        }));
        let (mut kept, mut orders) = (Vec::new(), 0);
        for _ in 0..4 {
            for market in &exchange.markets {
                let book = book_of(market, market.sequence);
                orders += book.orders.len();
                let head = handle.keep(book.clone().prepare(2).unwrap()).await.unwrap();
                assert_eq!((head.id, head.sequence), (book.id, book.sequence));
                assert_eq!(head.order_count, book.orders.len() as u64);
                let resolve = |symbol: &str| {
                    assert_eq!(symbol, market.instrument.symbol.as_str());
                    Some(Arc::clone(&market.instrument))
                };
                let found = queries.snapshot(book.id, resolve).await.unwrap();
                assert_eq!(found, Some(book));
                kept.push(head);
            }
            exchange.happen(20);
        }
        assert!(orders > 0, "books with nothing in them show nothing");
        // The newest two of each of the three.
        kept.drain(..6);
        kept.reverse();
        assert_eq!(queries.snapshots(None, 100).await.unwrap(), kept);
        assert_eq!(queries.snapshots(None, 1).await.unwrap(), kept[..1]);
        let fine = &exchange.markets[2].instrument;
        let of_one = queries.snapshots(Some(fine), 100).await.unwrap();
        assert_eq!(of_one, [kept[0].clone(), kept[3].clone()]);

        // One that nobody waits for any more stands in no other's way.
        let market = &exchange.markets[0];
        let mut far = market.sequence;
        (0..100).for_each(|_| far = far.next());
        let given_up = handle.keep(book_of(market, far).prepare(2).unwrap());
        assert!(given_up.now_or_never().is_none());
        let near = book_of(market, market.sequence);
        let head = handle.keep(near.clone().prepare(2).unwrap()).await.unwrap();
        assert_eq!(head.id, near.id);

        // One of what is still to come waits for it, while the projector goes on.
        let next = book_of(market, far);
        let mut waiting = pin!(handle.keep(next.clone().prepare(2).unwrap()));
        let mut watch = handle.clone();
        // The second time, it has looked at what waits since.
        for _ in 0..2 {
            exchange.happen(20);
            tokio::select! {
                biased;
                _ = &mut waiting => panic!("it is written before the database has passed it"),
                () = caught_up(&exchange, &mut watch) => {}
            }
        }
        assert!(exchange.markets[0].sequence < far);
        let unknown = queries.snapshot(next.id, |_| None).await.unwrap();
        assert_eq!(unknown, None);
        while exchange.markets[0].sequence < far {
            exchange.happen(50);
        }
        assert_eq!(waiting.await.unwrap().id, next.id);
        stop.send(()).unwrap();
        running.await.unwrap();
    }
}

#[tokio::test]
async fn a_snapshot_is_refused_while_the_database_is_away() {
    let server = Postgres::stopped();
    let mut exchange = Exchange::new(18);
    exchange.happen(20);
    let url = server.default_database().parse().unwrap();
    let database = Database::open(&url).await.unwrap();
    let (projector, handle) = exchange.projector(&database, limits(50));
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(projector.run(async {
        let _ = stopped.await;
    }));
    let market = &exchange.markets[0];
    let book = book_of(market, market.sequence);
    let answer = handle.keep(book.prepare(2).unwrap()).await;
    assert!(matches!(answer, Err(SnapshotError::Down(_))), "{answer:?}");
    stop.send(()).unwrap();
    running.await.unwrap();
}
