//! Settlements of what was projected: of whole days, once, summing to zero.

use ethnum::I256;
use shardbook_engine::id::{ClientId, Symbol};
use shardbook_engine::position::ClientPosition;
use shardbook_engine::time::Day;
use shardbook_storage::entity::convert::{day_text, position_row, settlement_line_row};
use shardbook_storage::entity::settlement_line;
use shardbook_storage::settlement::{Settled, Settlement, SettlementError, Settlements};

use super::*;

pub(crate) const NOW: Timestamp = Timestamp::from_microseconds(1_800_000_000_000_000);

pub(crate) fn symbols(exchange: &Exchange) -> Vec<Symbol> {
    let markets = exchange.markets.iter();
    markets
        .map(|market| market.instrument.symbol.clone())
        .collect()
}

/// A history over some days that every instrument has closed, and one of them with many trades:
/// of the first there are some microseconds.
fn some_days(seed: u64) -> (Exchange, Day) {
    let mut exchange = Exchange::new(seed);
    let day = exchange.markets[0].instrument.listed_at.day().next();
    while exchange
        .markets
        .iter()
        .any(|market| market.closed.len() < 3)
    {
        exchange.happen(100);
    }
    assert!(lines(&exchange, day).len() > 5);
    (exchange, day)
}

/// The lines of a day from all trades that ever were.
fn lines(exchange: &Exchange, day: Day) -> Vec<settlement_line::Model> {
    let mut lines = Vec::new();
    for market in &exchange.markets {
        let positions = sums::positions(&market.trades).into_iter();
        let of_day = positions.filter(|((of, _), _)| *of == day);
        lines.extend(
            of_day.map(|((_, client), position): ((_, ClientId), ClientPosition)| {
                let row = position_row(&market.instrument, day, &client, &position).unwrap();
                settlement_line_row(row).unwrap()
            }),
        );
    }
    lines.sort_by(|a, b| (&a.instrument, &a.client_id).cmp(&(&b.instrument, &b.client_id)));
    lines
}

/// Whoever settled it.
pub(crate) fn settlement_of(settled: Settled) -> Settlement {
    match settled {
        Settled::Now(settlement) | Settled::Before(settlement) => settlement,
    }
}

pub(crate) fn assert_settlement(exchange: &Exchange, day: Day, settlement: &Settlement) {
    let expected = lines(exchange, day);
    assert_eq!(settlement.lines, expected);
    assert_eq!(settlement.head.line_count, expected.len() as i64);
    assert_eq!(settlement.head.date, day_text(day).unwrap());
    for symbol in symbols(exchange) {
        let lines = expected
            .iter()
            .filter(|line| line.instrument == symbol.as_str());
        let (quantity, cash) = lines.fold((I256::ZERO, I256::ZERO), |(quantity, cash), line| {
            (
                quantity + line.net_quantity.mantissa(),
                cash + line.net_cash.mantissa(),
            )
        });
        assert_eq!((quantity, cash), (I256::ZERO, I256::ZERO), "{symbol}");
    }
}

#[tokio::test]
async fn a_day_is_settled_once_with_what_its_trades_come_to() {
    for (seed, place) in (31..).zip(Place::both()) {
        let (exchange, busy) = some_days(seed);
        let database = place.open().await;
        exchange.project(&database).await;
        let settlements = Settlements::new(database.clone(), EXCHANGE);
        let symbols = symbols(&exchange);
        let closed: Vec<_> = settlements.unsettled().await.unwrap();
        assert_eq!(closed[1..3], [busy, busy.next()]);
        for day in &closed[..3] {
            let settled = settlements.settle(*day, &symbols, NOW).await.unwrap();
            let Settled::Now(settlement) = settled else {
                panic!("it was settled before: {settled:?}");
            };
            assert_settlement(&exchange, *day, &settlement);
            let later = Timestamp::from_microseconds(NOW.microseconds() + 5);
            let again = settlements.settle(*day, &symbols, later).await.unwrap();
            assert_eq!(again, Settled::Before(settlement.clone()));
            assert_eq!(settlements.find(*day).await.unwrap(), Some(settlement));
        }
        assert_eq!(settlements.unsettled().await.unwrap(), closed[3..]);
        let listed = settlements.list().await.unwrap();
        let dates: Vec<_> = listed.iter().map(|head| day_of_text(&head.date)).collect();
        let mut newest_busy = closed[..3].to_vec();
        newest_busy.reverse();
        assert_eq!(dates, newest_busy);
        // Later trades change nothing of it.
        assert_settlement(
            &exchange,
            busy,
            &settlements.find(busy).await.unwrap().unwrap(),
        );
    }
}

fn day_of_text(text: &str) -> Day {
    shardbook_storage::entity::convert::day_of(text).unwrap()
}

#[tokio::test]
async fn many_who_settle_a_day_at_once_while_it_is_traded_get_one_settlement() {
    for (seed, place) in (41..).zip(Place::both()) {
        let (mut exchange, busy) = some_days(seed);
        let database = place.open().await;
        exchange.project(&database).await;
        let symbols = symbols(&exchange);
        exchange.happen(500);
        let settlements = Settlements::new(database.clone(), EXCHANGE);
        let settling = (0..8).map(|_| settlements.settle(busy, &symbols, NOW));
        let (settled, _) = tokio::join!(
            futures::future::join_all(settling),
            exchange.project(&database)
        );
        let mut now = 0;
        for settled in settled {
            let settled = settled.unwrap();
            now += usize::from(matches!(settled, Settled::Now(_)));
            assert_settlement(&exchange, busy, &settlement_of(settled));
        }
        assert_eq!(now, 1);
        exchange.assert_projected(&database).await;
    }
}

#[tokio::test]
async fn a_settlement_killed_anywhere_leaves_nothing_or_all_of_it() {
    for (seed, place) in (51..).zip(Place::both()) {
        let (exchange, busy) = some_days(seed);
        let database = place.open().await;
        exchange.project(&database).await;
        let symbols = symbols(&exchange);
        let mut kills = 0;
        for polls in 1.. {
            let settlements = Settlements::new(database.clone(), EXCHANGE);
            let settled = killed_after(polls, settlements.settle(busy, &symbols, NOW)).await;
            let found = loop {
                // What was broken off inside the database ends busy.
                match settlements.find(busy).await {
                    Ok(found) => break found,
                    Err(error) => println!("{error}"),
                }
            };
            let Some(settled) = settled else {
                kills += 1;
                if let Some(found) = found {
                    assert_settlement(&exchange, busy, &found);
                }
                continue;
            };
            let settlement = settlement_of(settled.unwrap());
            assert_settlement(&exchange, busy, &settlement);
            assert_eq!(found, Some(settlement));
            break;
        }
        assert!(kills > 0);
    }
}

#[tokio::test]
async fn a_day_that_the_database_does_not_hold_to_its_end_is_not_settled() {
    for (seed, place) in (61..).zip(Place::both()) {
        let (exchange, busy) = some_days(seed);
        let database = place.open().await;
        exchange.project(&database).await;
        let settlements = Settlements::new(database.clone(), EXCHANGE);
        let symbols = symbols(&exchange);
        let far = Day::from_days_since_epoch(busy.days_since_epoch() + 1_000);
        let refused = settlements.settle(far, &symbols, NOW).await.unwrap_err();
        let told = "on BTC-USD, ODD-TICK, FINE";
        assert!(refused.to_string().ends_with(told), "{refused}");
        let with_another = [symbols, vec![Symbol::new("NEW-USD").unwrap()]].concat();
        let refused = settlements
            .settle(busy, &with_another, NOW)
            .await
            .unwrap_err();
        assert!(refused.to_string().ends_with("on NEW-USD"), "{refused}");
        let before = settlements.settle(busy, &[], NOW).await;
        assert!(matches!(before, Err(SettlementError::NotHeld { .. })));
        let foreign = Settlements::new(database.clone(), Uuid::from_u128(8));
        let refused = foreign.settle(busy, &with_another, NOW).await;
        assert!(matches!(refused, Err(SettlementError::ForeignExchange)));
        assert_eq!(settlements.list().await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_settlement_that_would_not_sum_to_zero_is_never_written() {
    for (seed, place) in (71..).zip(Place::both()) {
        let (exchange, busy) = some_days(seed);
        let database = place.open().await;
        exchange.project(&database).await;
        let symbols = symbols(&exchange);
        // A client that neither bought what it sold nor was alone.
        let lines = lines(&exchange, busy).into_iter();
        let mut lines = lines.filter(|line| line.net_quantity.mantissa() != 0);
        let line = lines.next().expect("the day has trades");
        let statement = format!(
            "DELETE FROM daily_positions WHERE day = '{}' AND instrument = '{}' AND client_id = '{}'",
            line.date, line.instrument, line.client_id
        );
        database
            .reader()
            .execute_unprepared(&statement)
            .await
            .unwrap();
        let settlements = Settlements::new(database.clone(), EXCHANGE);
        let refused = settlements.settle(busy, &symbols, NOW).await;
        match refused {
            Err(SettlementError::Unbalanced { instrument, .. }) => {
                assert_eq!(instrument, line.instrument);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(settlements.find(busy).await.unwrap(), None);
    }
}
