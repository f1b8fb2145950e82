//! Lists of orders, newest first.
//!
//! Memory holds every open order and the newest closed ones; [`LetGo`] says what it does not
//! have. A list is read in parts, so that nobody waits long for the lock.

use crate::id::{ClientId, OrderRef, Sequence};
use crate::market_data::MarketData;
use crate::market_data::mirror::MirrorRow;
use crate::market_data::slab::Slot;
use crate::order::{Order, OrderStatus};
use crate::time::Timestamp;

/// Whose orders a list is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrdersOf<'a> {
    /// Everyone's, the mirror's included.
    Everyone,
    /// One client's.
    Client(&'a ClientId),
}

/// Which orders a list is of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderFilter {
    /// One client's alone.
    pub client: Option<ClientId>,
    /// Those that stand so alone.
    pub status: Option<OrderStatus>,
}

/// Part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrdersPart {
    /// Newest first.
    pub orders: Vec<Order>,
    /// Below which placement the list goes on; `None` at its end.
    pub rest: Option<OrderRef>,
}

/// How far the database must have come to know what memory does not: the last change of the
/// newest order of each kind that memory has let go of, [`Sequence::ZERO`] if it has them all.
/// Whatever was placed later is in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LetGo {
    /// Clients' closed orders.
    pub clients: Sequence,
    /// The mirror's closed orders that had traded.
    pub mirror: Sequence,
    /// The tape's orders, of which memory has none.
    pub tape: Sequence,
}

/// Whether what has the very time of a bound lies before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ties {
    /// It does.
    Before,
    /// It does not.
    After,
}

impl OrderFilter {
    fn of(&self) -> OrdersOf<'_> {
        self.client
            .as_ref()
            .map_or(OrdersOf::Everyone, OrdersOf::Client)
    }
}

impl LetGo {
    /// Of which of these the list may show some.
    #[must_use]
    pub fn shown_by(self, filter: &OrderFilter) -> Self {
        let nothing = Self::default();
        match &filter.client {
            // Every open order is in memory.
            _ if filter.status.is_some_and(OrderStatus::is_open) => nothing,
            None => self,
            Some(client) if *client == ClientId::binance_trades() => Self {
                tape: self.tape,
                ..nothing
            },
            Some(client) if *client == ClientId::binance_depth() => Self {
                mirror: self.mirror,
                ..nothing
            },
            Some(_) => Self {
                clients: self.clients,
                ..nothing
            },
        }
    }

    /// The newest of the three.
    #[must_use]
    pub fn newest(self) -> Sequence {
        self.clients.max(self.mirror).max(self.tape)
    }

    /// Whether memory has let go of an order for certain that closed as this one did.
    #[must_use]
    pub fn holds(self, order: &Order) -> bool {
        let mark = if order.placed.index > 0 {
            self.mirror
        } else if order.client.is_feed() {
            self.tape
        } else {
            self.clients
        };
        order.updated <= mark
    }
}

/// An order in memory.
#[derive(Clone, Copy)]
enum Row<'a> {
    Client(Slot),
    Mirror(&'a MirrorRow),
}

impl MarketData {
    /// The orders in memory, newest first, of those placed before `before`. Made one by one as
    /// they are asked for.
    pub fn orders(
        &self,
        of: OrdersOf<'_>,
        before: Option<OrderRef>,
    ) -> impl Iterator<Item = Order> {
        self.rows(of, before)
            .map(|(placed, row)| self.show_row(placed, row))
    }

    /// The newest orders that pass the filter, of those placed before `before`: at most
    /// `shown_max`, of at most `visited_max` looked at. What is placed between two parts' reading
    /// is not shown; what changes is shown as it was when it was come by.
    #[must_use]
    pub fn orders_part(
        &self,
        filter: &OrderFilter,
        before: Option<OrderRef>,
        shown_max: usize,
        visited_max: usize,
    ) -> OrdersPart {
        let mut orders = Vec::new();
        for (visited, (placed, row)) in (1..).zip(self.rows(filter.of(), before)) {
            if filter
                .status
                .is_none_or(|status| self.status_of(row) == status)
            {
                orders.push(self.show_row(placed, row));
            }
            if orders.len() >= shown_max || visited >= visited_max {
                let rest = Some(placed);
                return OrdersPart { orders, rest };
            }
        }
        OrdersPart { orders, rest: None }
    }

    /// What memory does not have.
    #[must_use]
    pub const fn let_go(&self) -> LetGo {
        LetGo {
            clients: self.newest_let_go(),
            mirror: self.newest_mirror_let_go(),
            tape: self.newest_tape_order(),
        }
    }

    /// A placement with every order in memory that was made before `time` below it, and no other.
    #[must_use]
    pub fn placed_before(&self, time: Timestamp, ties: Ties) -> OrderRef {
        // Stamps never decrease, so one half of the sequences is before and the other after.
        let (mut below, mut above) = (0, self.sequence.get() + 1);
        while below < above {
            let middle = below + (above - below) / 2;
            let oldest = self.oldest_from(Sequence::new(middle));
            let is_before = oldest.is_some_and(|(_, created_at)| match ties {
                Ties::Before => created_at <= time,
                Ties::After => created_at < time,
            });
            if is_before {
                below = middle + 1;
            } else {
                above = middle;
            }
        }
        OrderRef::single(Sequence::new(below))
    }

    /// A time after which none of the commands up to the one numbered `sequence` was decided.
    #[must_use]
    pub fn decided_by(&self, sequence: Sequence) -> Timestamp {
        self.oldest_from(sequence.next())
            .map_or(self.timestamp, |(_, created_at)| created_at)
    }

    /// The oldest order in memory of those that the commands from `sequence` on placed.
    fn oldest_from(&self, sequence: Sequence) -> Option<(OrderRef, Timestamp)> {
        let client = self.orders.oldest_from(sequence);
        let mirror = self.mirror.oldest_from(sequence);
        [client, mirror].into_iter().flatten().min()
    }

    fn rows<'a>(
        &'a self,
        of: OrdersOf<'_>,
        before: Option<OrderRef>,
    ) -> impl Iterator<Item = (OrderRef, Row<'a>)> {
        let is_mirror = matches!(of, OrdersOf::Client(client) if client == self.mirror.client());
        let (everyone, client) = match of {
            OrdersOf::Everyone => (Some(self.orders.newest_first(before)), None),
            OrdersOf::Client(client) => (None, Some(self.orders.newest_first_of(client, before))),
        };
        let mut clients = everyone
            .into_iter()
            .flatten()
            .chain(client.into_iter().flatten())
            .map(|slot| (OrderRef::single(self.orders.get(slot).placed), slot))
            .peekable();
        let mut mirror = (is_mirror || matches!(of, OrdersOf::Everyone))
            .then(|| self.mirror.newest_first(before))
            .into_iter()
            .flatten()
            .peekable();
        std::iter::from_fn(move || {
            let client_is_newer = match (clients.peek(), mirror.peek()) {
                (Some((client, _)), Some((mirror, _))) => client > mirror,
                (client, _) => client.is_some(),
            };
            if client_is_newer {
                let (placed, slot) = clients.next()?;
                Some((placed, Row::Client(slot)))
            } else {
                let (placed, row) = mirror.next()?;
                Some((placed, Row::Mirror(row)))
            }
        })
    }

    fn show_row(&self, placed: OrderRef, row: Row<'_>) -> Order {
        match row {
            Row::Client(slot) => self.orders.show(slot),
            Row::Mirror(row) => self.mirror.show(placed, row),
        }
    }

    fn status_of(&self, row: Row<'_>) -> OrderStatus {
        match row {
            Row::Client(slot) => self.orders.get(slot).status(),
            Row::Mirror(row) if row.fills.is_some() => OrderStatus::PartiallyFilled,
            Row::Mirror(_) => OrderStatus::Open,
        }
    }
}
