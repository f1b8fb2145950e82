//! What queries find of what was projected.

use super::*;

#[tokio::test]
async fn queries_find_orders_and_trades() {
    for place in Place::both() {
        let mut exchange = Exchange::new(12);
        exchange.happen(1_200);
        let database = place.open().await;
        exchange.project(&database).await;
        let queries = Queries::new(database);
        for market in &exchange.markets {
            assert_order_queries(&queries, market, &exchange.markets).await;
            assert_trade_queries(&queries, market).await;
        }
    }
}

async fn assert_order_queries(queries: &Queries, market: &Market, markets: &[Market]) {
    let resolve = |symbol: &str| {
        let found = markets
            .iter()
            .find(|market| market.instrument.symbol.as_str() == symbol);
        found.map(|market| Arc::clone(&market.instrument))
    };
    for number in [0, 7, 399, 10_000] {
        let id = OrderId::new(&format!("order-{number}")).unwrap();
        let newest = |market: &Market| {
            market
                .shown()
                .filter(|order| order.id == id)
                .last()
                .cloned()
        };
        let found = queries.order_by_id(&market.instrument, &id).await.unwrap();
        assert_eq!(found, newest(market));
        let found = queries.orders_by_id(&id, resolve).await.unwrap();
        assert!(found.is_sorted_by(|one, next| one.order.created_at >= next.order.created_at));
        let expected = markets.iter().filter_map(&newest).count();
        assert_eq!(found.len(), expected);
        for stored in found {
            let market = markets
                .iter()
                .find(|market| market.instrument == stored.instrument)
                .unwrap();
            assert_eq!(Some(stored.order), newest(market));
        }
    }
    for order in market.shown().step_by(50) {
        let trades = queries
            .trades_of(&market.instrument, order.placed, order.side)
            .await
            .unwrap();
        let is_its = |trade: &&Trade| match order.side {
            Side::Buy => trade.buy.placed == order.placed,
            Side::Sell => trade.sell.placed == order.placed,
        };
        let expected: Vec<_> = market.trades.iter().filter(is_its).collect();
        assert_eq!(
            trades.iter().map(|trade| &**trade).collect::<Vec<_>>(),
            expected
        );
        assert_eq!(trades.len() as u64, order.trade_count);
    }
}

async fn assert_trade_queries(queries: &Queries, market: &Market) {
    let numbers = |trades: Vec<Arc<Trade>>| -> Vec<u64> {
        trades.iter().map(|trade| trade.number.get()).collect()
    };
    let instrument = &market.instrument;
    let last = market.trades.len() as u64;
    assert!(last > 20);
    let newest = queries.trades_before(instrument, None, 3).await.unwrap();
    assert_eq!(numbers(newest), [last, last - 1, last - 2]);
    let before = Some(TradeNumber::new(3));
    let oldest = queries
        .trades_before(instrument, before, 1_000)
        .await
        .unwrap();
    assert_eq!(numbers(oldest), [2, 1]);
    let first = TradeNumber::new(4);
    let middle = queries.trades_numbered(instrument, first, 5).await.unwrap();
    assert_eq!(*middle[0], market.trades[3]);
    assert_eq!(numbers(middle), [4, 5, 6, 7, 8]);
    let end = queries
        .trades_numbered(instrument, TradeNumber::new(last), 5)
        .await
        .unwrap();
    assert_eq!(numbers(end), [last]);
}

#[tokio::test]
async fn decimals_of_any_length_come_back_exactly() {
    for place in Place::both() {
        let mut exchange = Exchange::new(13);
        let mut instrument = market::instrument(0, "LONG", "0.00001", "0.0001");
        instrument.min_notional = Some(Notional::new(123_456_789_012_345_678_123_456_789));
        exchange.markets[0] = Market::new(instrument);
        exchange.happen(10);
        let database = place.open().await;
        exchange.project(&database).await;
        exchange.assert_projected(&database).await;
        let row = instrument::Entity::find_by_id("LONG")
            .one(database.reader())
            .await
            .unwrap();
        let decimal = row.unwrap().min_notional.unwrap().to_string();
        assert_eq!(decimal, "123456789012345678.123456789");
    }
}
