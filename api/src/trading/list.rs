//! Lists of orders, newest first, from memory and, for what it has let go of, the database.
//!
//! First memory is read, then what it did not have at that time: an order is closed before it is
//! let go of, so what was not in memory can be read from the database as it ended, once that is
//! past all that was let go of. What is in both is shown as memory had it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use shardbook_engine::id::{ClientId, OrderId, OrderRef, Symbol};
use shardbook_engine::instrument::Instrument;
use shardbook_engine::market_data::{LetGo, MarketData, OrderFilter, Ties};
use shardbook_engine::order::Order;
use shardbook_engine::router::{InstrumentHandle, Location};
use shardbook_storage::query::{ClosedOrders, Place};

use crate::access::Trader;
use crate::archive::{Mark, ambiguous};
use crate::problem::Problem;
use crate::schema::order::OrderView;
use crate::trading::Trading;

/// Orders taken out of an instrument's memory, and looked at for it, while its lock is held: some
/// tens of microseconds' worth, for which its next answers may have to wait.
const TAKEN_AT_ONCE_MAX: usize = 256;
const LOOKED_AT_AT_ONCE_MAX: usize = 1_024;

/// What a list is asked for.
#[derive(Clone, Debug)]
pub struct OrderList {
    /// Which orders.
    pub filter: OrderFilter,
    /// Those on this instrument alone.
    pub instrument: Option<Symbol>,
    /// Those that stand after this one in the list alone.
    pub before: Option<OrderId>,
    /// How many at most.
    pub limit: usize,
}

/// The newest orders that were found, a bounded number.
struct Page {
    orders: BTreeMap<Reverse<Place>, (Arc<Instrument>, Order)>,
    limit: usize,
}

impl Page {
    /// Takes an order in, unless it is there or older than a whole page.
    fn add(&mut self, instrument: &Arc<Instrument>, order: Order) {
        let place = Reverse(Place::of(&order, instrument));
        self.orders
            .entry(place)
            .or_insert_with(|| (Arc::clone(instrument), order));
        if self.orders.len() > self.limit {
            self.orders.pop_last();
        }
    }

    /// The place of its oldest order once it is whole: nothing older belongs on it.
    fn end(&self) -> Option<&Place> {
        let last = self.orders.last_key_value();
        last.filter(|_| self.orders.len() >= self.limit)
            .map(|(Reverse(place), _)| place)
    }

    fn views(&self) -> Vec<OrderView> {
        self.orders
            .values()
            .map(|(instrument, order)| OrderView::new(order, instrument))
            .collect()
    }
}

impl Trading {
    /// The orders that a list shows.
    ///
    /// # Errors
    /// When it is another client's than who asks may see, the instrument or the order to begin
    /// before is unknown, or the database is needed and does not answer.
    pub async fn orders(&self, by: &Trader, list: OrderList) -> Result<Vec<OrderView>, Problem> {
        let mut list = list;
        list.filter.client = by.client_or_own(list.filter.client)?;
        let on = self.named(list.instrument.as_ref())?;
        let before = match &list.before {
            Some(id) => Some(
                self.place_of(id, on.as_ref(), list.filter.client.as_ref())
                    .await?,
            ),
            None => None,
        };
        let mut handles = on.map_or_else(|| self.router.instruments(), |on| vec![on]);
        // The page soon has an end before which the others need not be read.
        handles.sort_by_cached_key(|handle| Reverse(handle.market_data().read().timestamp()));
        let mut page = Page {
            orders: BTreeMap::new(),
            limit: list.limit,
        };
        for handle in &handles {
            read_memory(handle, &list.filter, before.as_ref(), &mut page).await;
        }
        let missing: HashMap<Symbol, (Arc<Instrument>, LetGo)> = handles
            .iter()
            .filter_map(|handle| {
                let let_go = missing(&handle.market_data().read(), &list.filter, &page)?;
                let instrument = Arc::clone(handle.instrument());
                Some((instrument.symbol.clone(), (instrument, let_go)))
            })
            .collect();
        if !missing.is_empty() {
            self.read_archive(&list, before, &missing, &mut page)
                .await?;
        }
        Ok(page.views())
    }

    async fn read_archive(
        &self,
        list: &OrderList,
        before: Option<Place>,
        missing: &HashMap<Symbol, (Arc<Instrument>, LetGo)>,
        page: &mut Page,
    ) -> Result<(), Problem> {
        let marks: Vec<Mark> = missing
            .values()
            .map(|(instrument, let_go)| (Arc::clone(instrument), let_go.newest()))
            .collect();
        let archive = self.archive.list(&marks).await?;
        let resolve = |symbol: &str| {
            let handle = self.router.instrument(symbol);
            handle.map(|handle| Arc::clone(handle.instrument()))
        };
        let instrument = list.instrument.as_ref();
        let mut part = ClosedOrders {
            client: list.filter.client.clone(),
            instrument: instrument.and_then(|symbol| resolve(symbol.as_str())),
            status: list.filter.status,
            before,
            // Everything on the page may come again.
            limit: list.limit + page.orders.len(),
        };
        loop {
            let found = archive.part(&part, resolve).await?;
            for stored in found.orders {
                let let_go = missing.get(&stored.instrument.symbol);
                // Whatever else is there is in memory, or came later.
                if let_go.is_some_and(|(_, let_go)| let_go.holds(&stored.order)) {
                    page.add(&stored.instrument, stored.order);
                }
            }
            match found.rest {
                Some(rest) if page.end().is_none_or(|end| rest > *end) => part.before = Some(rest),
                Some(_) | None => return Ok(()),
            }
        }
    }

    /// Where an order that a list goes on from stands.
    async fn place_of(
        &self,
        id: &OrderId,
        on: Option<&Arc<InstrumentHandle>>,
        client: Option<&ClientId>,
    ) -> Result<Place, Problem> {
        let candidates = match on {
            Some(on) => vec![Arc::clone(on)],
            None => match self.router.locate(id) {
                Location::Nowhere => Vec::new(),
                Location::On(handle) => vec![handle],
                Location::Ambiguous(symbols) => symbols
                    .iter()
                    .filter_map(|symbol| self.router.instrument(symbol.as_str()))
                    .collect(),
            },
        };
        let is_listed = |order: &Order| client.is_none_or(|client| order.client == *client);
        let in_memory = candidates.iter().filter_map(|handle| {
            let found = handle.market_data().read().order(id)?;
            is_listed(&found).then(|| Place::of(&found, handle.instrument()))
        });
        let mut places: Vec<_> = in_memory.collect();
        if places.is_empty() {
            let marks = self.marks(id, on);
            let stored = self.archive.orders_named(id, &marks).await?;
            let listed = stored.iter().filter(|stored| is_listed(&stored.order));
            places.extend(listed.map(|stored| Place::of(&stored.order, &stored.instrument)));
        }
        match (places.pop(), places.is_empty()) {
            (Some(place), true) => Ok(place),
            (Some(place), false) => {
                let symbols = places.iter().chain([&place]);
                Err(ambiguous(id, symbols.map(|place| place.symbol.as_str())))
            }
            (None, _) => Err(Problem::parameter(
                "before",
                format!("must be an order of this list; there is no {id} in it"),
            )),
        }
    }
}

/// Takes what an instrument's memory has for the page.
async fn read_memory(
    handle: &InstrumentHandle,
    filter: &OrderFilter,
    before: Option<&Place>,
    page: &mut Page,
) {
    let mut below = None;
    let mut is_first = true;
    while is_first || below.is_some() {
        let part = {
            let market = handle.market_data().read();
            if is_first {
                below = before.map(|before| placed_before(&market, before));
            }
            let end = page.end().map(|end| placed_before(&market, end));
            if end.is_some_and(|end| below.is_some_and(|below| below <= end)) {
                return;
            }
            market.orders_part(filter, below, TAKEN_AT_ONCE_MAX, LOOKED_AT_AT_ONCE_MAX)
        };
        for order in part.orders {
            page.add(handle.instrument(), order);
        }
        (below, is_first) = (part.rest, false);
        // A long list keeps no other request waiting.
        tokio::task::yield_now().await;
    }
}

/// A placement with all of the instrument's orders in memory below it whose place is before
/// `place`, and no other.
fn placed_before(market: &MarketData, place: &Place) -> OrderRef {
    let symbol = &market.instrument().symbol;
    match symbol.cmp(&place.symbol) {
        std::cmp::Ordering::Equal => place.placed,
        std::cmp::Ordering::Less => market.placed_before(place.created_at, Ties::Before),
        std::cmp::Ordering::Greater => market.placed_before(place.created_at, Ties::After),
    }
}

/// What the database must be asked for, if any of it may belong on the page.
fn missing(market: &MarketData, filter: &OrderFilter, page: &Page) -> Option<LetGo> {
    let let_go = market.let_go().shown_by(filter);
    let newest = let_go.newest();
    let may_be_on_page = page.end().is_none_or(|end| {
        if market.instrument().symbol == end.symbol {
            newest > end.placed.sequence
        } else {
            market.decided_by(newest) >= end.created_at
        }
    });
    (newest.get() > 0 && may_be_on_page).then_some(let_go)
}
