//! What readers find, against what the naive fold adds up.

use super::*;

pub(super) fn check_orders(naive: &Naive, market: &MarketData) {
    for order in &naive.orders {
        let is_in_memory = naive.is_in_memory(order);
        let expected = is_in_memory.then(|| naive.known(order));
        assert_eq!(market.order_with_trades(&order.id), expected);
        assert_eq!(market.order(&order.id), is_in_memory.then(|| order.clone()));
    }
    // Of trades, no more is held than the newest and those of what is open.
    let held: Vec<_> = market
        .kept_trades()
        .iter()
        .map(|held| held.number)
        .collect();
    assert_eq!(held, naive.trades_to_hold());
}

pub(super) fn check_reads(naive: &Naive, market: &MarketData) {
    for (side, totals) in [
        (Side::Buy, market.totals(Side::Buy)),
        (Side::Sell, market.totals(Side::Sell)),
    ] {
        let levels = naive.levels(side);
        let shown: Vec<_> = market.depth.levels(side).collect();
        assert_eq!(shown, levels);
        assert_eq!(market.best(side), levels.first().copied());
        assert_eq!(totals.levels, levels.len());
        assert_eq!(
            totals.orders,
            levels.iter().map(|(_, level)| level.orders).sum::<u64>()
        );
        assert_eq!(
            totals.volume,
            levels.iter().map(|(_, level)| level.volume).sum()
        );
    }
    let in_memory = || {
        let mut orders: Vec<_> = naive
            .orders
            .iter()
            .filter(|order| naive.is_in_memory(order))
            .cloned()
            .collect();
        orders.sort_by_key(|order| std::cmp::Reverse(order.placed));
        orders
    };
    assert_eq!(
        market.orders(OrdersOf::Everyone, None).collect::<Vec<_>>(),
        in_memory()
    );
    for client in [client(0), client(1), client(2), ClientId::binance_depth()] {
        let mut orders = in_memory();
        orders.retain(|order| order.client == client && order.is_open());
        let listed = market.orders(OrdersOf::Client(&client), None);
        assert_eq!(listed.filter(Order::is_open).collect::<Vec<_>>(), orders);
    }
    if let Some(middle) = in_memory().get(3).map(|order| order.placed) {
        let listed = market.orders(OrdersOf::Everyone, Some(middle));
        assert_eq!(listed.collect::<Vec<_>>(), in_memory()[4..]);
        let mut orders = in_memory().split_off(4);
        let one = client(1);
        orders.retain(|order| order.client == one);
        let listed = market.orders(OrdersOf::Client(&one), Some(middle));
        assert_eq!(listed.collect::<Vec<_>>(), orders);
    }
    check_parts(&in_memory(), market);
    check_times(&in_memory(), market);
    let kept = naive.closed.len().saturating_sub(LIMITS.closed_orders);
    let let_go = naive
        .orders
        .iter()
        .filter(|order| naive.closed[..kept].contains(&order.placed));
    let newest = let_go.map(|order| order.updated).max();
    assert_eq!(market.newest_let_go(), newest.unwrap_or_default());
    let mirror = naive
        .orders
        .iter()
        .filter(|order| order.placed.index > 0 && !order.is_open() && order.trade_count > 0);
    let newest = mirror.map(|order| order.updated).max();
    assert_eq!(market.newest_mirror_let_go(), newest.unwrap_or_default());
    assert_eq!(market.is_halted(), naive.halted);
    assert_eq!(market.sequence().get(), naive.sequence);
}

/// Goes through every list by small parts.
pub(super) fn check_parts(in_memory: &[Order], market: &MarketData) {
    let clients = [None, Some(client(1)), Some(ClientId::binance_depth())];
    let statuses = [
        None,
        Some(OrderStatus::Open),
        Some(OrderStatus::PartiallyFilled),
        Some(OrderStatus::Filled),
    ];
    for filter in clients.iter().flat_map(|client| {
        statuses.map(|status| OrderFilter {
            client: client.clone(),
            status,
        })
    }) {
        let passes = |order: &&Order| {
            (filter.client.as_ref()).is_none_or(|client| order.client == *client)
                && (filter.status).is_none_or(|status| order.status() == status)
        };
        let expected: Vec<_> = in_memory.iter().filter(passes).cloned().collect();
        let mut listed = Vec::new();
        let mut before = None;
        loop {
            let part = market.orders_part(&filter, before, 2, 3);
            assert!(part.orders.len() <= 2);
            listed.extend(part.orders);
            before = part.rest;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(listed, expected, "{filter:?}");
    }
}

/// What was placed before a time is what lies below the placement found for it.
pub(super) fn check_times(in_memory: &[Order], market: &MarketData) {
    for order in in_memory {
        for (ties, is_before) in [
            (
                Ties::After,
                in_memory
                    .iter()
                    .map(|other| other.created_at < order.created_at)
                    .collect::<Vec<_>>(),
            ),
            (
                Ties::Before,
                in_memory
                    .iter()
                    .map(|other| other.created_at <= order.created_at)
                    .collect(),
            ),
        ] {
            let bound = market.placed_before(order.created_at, ties);
            let below: Vec<_> = in_memory.iter().map(|other| other.placed < bound).collect();
            assert_eq!(below, is_before);
        }
        for other in in_memory {
            assert!(
                other.placed.sequence > order.placed.sequence
                    || other.created_at <= market.decided_by(order.placed.sequence)
            );
        }
    }
}

pub(super) fn check_trades(naive: &Naive, market: &MarketData) {
    let count = count(&naive.trades);
    assert_eq!(
        market.last_trade().map(|trade| trade.number.get()),
        (count > 0).then_some(count)
    );
    for limit in [1, 3, LIMITS.trades, 20] {
        for before in [
            None,
            Some(1),
            Some(count.max(1)),
            Some(count + 1),
            Some(count / 2 + 1),
        ] {
            let wanted: Vec<_> = naive
                .trades
                .iter()
                .rev()
                .filter(|trade| before.is_none_or(|before| trade.number.get() < before))
                .take(limit)
                .cloned()
                .map(Arc::new)
                .collect();
            let page = market.trades(before.map(TradeNumber::new), limit);
            let held = |trade: &&Arc<Trade>| trade.number.get() > count.saturating_sub(7);
            assert_eq!(
                page.trades,
                wanted.iter().filter(held).cloned().collect::<Vec<_>>()
            );
            let reach = if page.trades.len() == wanted.len() {
                Reach::Whole
            } else {
                Reach::Short
            };
            assert_eq!(page.reach, reach);
        }
    }
}

/// Candle by candle from all trades there ever were.
pub(super) fn check_candles(naive: &Naive, market: &MarketData) {
    for minutes in [1, 5, 60, 1_440] {
        let interval = Minutes::new(minutes).unwrap();
        let mut wanted: BTreeMap<Timestamp, Vec<&Trade>> = BTreeMap::new();
        for trade in &naive.trades {
            let open_time = trade.timestamp.floor(interval);
            wanted.entry(open_time).or_default().push(trade);
        }
        let newest = naive.trades.last().map(|trade| trade.timestamp);
        let kept_from = newest.map(|newest| newest.floor(Minutes::ONE).before(Minutes::hours(25)));
        let kept_from = kept_from.unwrap_or_default().ceil(interval);
        wanted.retain(|open_time, _| *open_time >= kept_from);
        let minutes = market.candles(kept_from, Timestamp::from_microseconds(u64::MAX));
        let gathered = gather(&minutes, interval);
        assert_eq!(gathered.len(), wanted.len());
        for (candle, (open_time, trades)) in gathered.iter().zip(&wanted) {
            let prices = || trades.iter().map(|trade| trade.price);
            let expected = Candle {
                open_time: *open_time,
                open: prices().next().unwrap(),
                high: prices().max().unwrap(),
                low: prices().min().unwrap(),
                close: prices().next_back().unwrap(),
                volume: trades
                    .iter()
                    .map(|trade| Volume::from(trade.quantity))
                    .sum(),
                notional: trades
                    .iter()
                    .map(|trade| trade.price * trade.quantity)
                    .sum(),
                trade_count: count(trades),
            };
            assert_eq!(*candle, expected);
        }
    }
    let kept: BTreeSet<_> = market
        .kept_candles()
        .map(|kept| kept.candle.open_time)
        .collect();
    let gone = |trade: &&Trade| !kept.contains(&trade.timestamp.floor(Minutes::ONE));
    let gone = naive.trades.iter().rfind(gone);
    let let_go = gone.map(|trade| CandlesLetGo {
        open_time: trade.timestamp.floor(Minutes::ONE),
        updated: trade.sequence,
    });
    assert_eq!(market.candles_let_go(), let_go);
}

/// Client by client from all trades there ever were; what is sold is what is bought.
pub(super) fn check_positions(naive: &Naive, market: &MarketData) {
    let Some(newest) = naive.trades.last() else {
        return;
    };
    let today = newest.timestamp.day();
    let is_open = naive.closed_day < Some(today);
    let mut clients: BTreeMap<ClientId, ClientPosition> = BTreeMap::new();
    for trade in naive
        .trades
        .iter()
        .filter(|trade| is_open && trade.timestamp.day() == today)
    {
        for (party, side) in [(&trade.buy, Side::Buy), (&trade.sell, Side::Sell)] {
            let position = clients.entry(party.client.clone()).or_default();
            position.trade(side, trade.price, trade.quantity);
        }
        let parties = BTreeSet::from([&trade.buy.client, &trade.sell.client]);
        for client in parties {
            clients.get_mut(client).unwrap().trade_count += 1;
        }
    }
    for number in 0..3 {
        let client = client(number);
        assert_eq!(
            market.position(&client, today),
            clients.get(&client).copied()
        );
    }
    let days = market.open_days();
    for (day, positions) in &days {
        assert!(Some(*day) > naive.closed_day);
        let (mut quantity, mut notional) = ((0, 0), (0, 0));
        for (_, position) in positions {
            quantity.0 += position.bought.lots();
            quantity.1 += position.sold.lots();
            notional.0 += position.bought_notional.ticks_times_lots();
            notional.1 += position.sold_notional.ticks_times_lots();
        }
        assert_eq!((quantity.0, notional.0), (quantity.1, notional.1));
    }
    if is_open {
        let (day, positions) = days.last().unwrap();
        assert_eq!(*day, today);
        assert_eq!(*positions, clients.into_iter().collect::<Vec<_>>());
    }
}

pub(super) fn check_answer(naive: &Naive, record: &Record, answer: &Answer) {
    let id = match &record.command {
        Command::Place(new) => new.id.id(),
        Command::Cancel(cancel) => &cancel.order_id,
        Command::Amend(amend) => &amend.order_id,
        Command::MassCancel(_) => {
            let cancelled = naive
                .orders
                .iter()
                .filter(|order| order.updated == record.sequence);
            let ids = cancelled.map(|order| order.id.clone()).collect();
            assert_eq!(*answer, Answer::MassCancelled(ids));
            return;
        }
        Command::Tape(_)
        | Command::Mirror(_)
        | Command::WithdrawMirror
        | Command::Halt
        | Command::Resume
        | Command::CloseDay(_) => {
            assert_eq!(*answer, Answer::Applied);
            return;
        }
    };
    let order = naive.orders.iter().find(|order| order.id == *id).unwrap();
    let own = naive.trades_of(order);
    let own = own.filter(|trade| trade.sequence == record.sequence);
    let expected = OrderWithTrades {
        order: order.clone(),
        trades: own.cloned().map(Arc::new).collect(),
    };
    match answer {
        Answer::Placed(order) | Answer::Amended(order) => assert_eq!(*order, expected),
        Answer::Cancelled(order) => assert_eq!(**order, expected.order),
        Answer::Replayed(_) | Answer::MassCancelled(_) | Answer::Applied | Answer::Unchanged => {
            panic!("{answer:?} to {:?}", record.command)
        }
    }
}
