//! A trade taken in: who traded, and what it leaves of both orders.

use std::sync::Arc;

use super::{Fold, Incoming};
use crate::event::Maker;
use crate::id::{OrderId, OrderRef};
use crate::market_data::change::ChangeKind;
use crate::market_data::slab::Slot;
use crate::order::{OrderState, Trade, TradeParty};
use crate::price::Price;
use crate::quantity::Quantity;
use crate::side::Side;

/// One side of a trade in the making.
struct Taker {
    party: TradeParty,
    side: Side,
}

impl Fold<'_> {
    pub(super) fn trade(&mut self, maker: &Maker, price: Price, quantity: Quantity) {
        let taker = self.taker();
        let maker_party = self.maker_party(maker);
        let (buy, sell) = match taker.side {
            Side::Buy => (taker.party, maker_party),
            Side::Sell => (maker_party, taker.party),
        };
        let trade = Arc::new(Trade {
            number: self.next_trade,
            buy,
            sell,
            price,
            quantity,
            taker_side: taker.side,
            sequence: self.record.sequence,
            timestamp: self.record.timestamp,
        });
        self.next_trade = self.next_trade.next();
        self.fill_taker(&trade);
        self.fill_maker(maker, &trade);
        self.market.trades.push(Arc::clone(&trade));
        self.market.candles.add(&trade);
        self.market.open_days.add(&trade);
        self.tell(ChangeKind::Trade(trade));
    }

    #[expect(clippy::panic, reason = "a bug stops its shard")]
    fn taker(&self) -> Taker {
        match &self.incoming {
            Incoming::None => panic!("a trade has an incoming order"),
            Incoming::Client(slot) => {
                let row = self.market.orders.get(*slot);
                Taker {
                    party: self.client_party(*slot),
                    side: row.side,
                }
            }
            Incoming::Mirror(order) => Taker {
                party: self.mirror_party(*order),
                side: match self.market.mirror.get(*order) {
                    Some(row) => row.side,
                    None => panic!("a mirrored order that trades is there"),
                },
            },
            Incoming::Tape(order) => Taker {
                party: TradeParty {
                    order_id: order.id.clone(),
                    placed: order.placed,
                    client: order.client.clone(),
                },
                side: order.side,
            },
        }
    }

    fn maker_party(&self, maker: &Maker) -> TradeParty {
        match maker {
            Maker::Client(order) => self.client_party(self.resting(*order)),
            Maker::Mirror(maker) => self.mirror_party(maker.order),
        }
    }

    fn client_party(&self, slot: Slot) -> TradeParty {
        let row = self.market.orders.get(slot);
        TradeParty {
            order_id: row.id.clone(),
            placed: OrderRef::single(row.placed),
            client: self.market.orders.client_of(slot).clone(),
        }
    }

    fn mirror_party(&self, order: OrderRef) -> TradeParty {
        TradeParty {
            order_id: OrderId::mirror(order),
            placed: order,
            client: self.market.mirror.client().clone(),
        }
    }

    fn fill_taker(&mut self, trade: &Arc<Trade>) {
        match &mut self.incoming {
            Incoming::None => {}
            Incoming::Client(slot) => {
                let slot = *slot;
                self.market.orders.get_mut(slot).add_fill(trade);
                self.touch(slot);
            }
            Incoming::Mirror(order) => self.market.mirror.get_mut(*order).add_fill(trade),
            Incoming::Tape(order) => {
                let lots = order.filled_quantity.lots() + trade.quantity.lots();
                order.filled_quantity = Quantity::new(lots).unwrap_or(order.quantity);
                order.filled_notional += trade.price * trade.quantity;
                order.trade_count += 1;
            }
        }
    }

    fn fill_maker(&mut self, maker: &Maker, trade: &Arc<Trade>) {
        let side = trade.taker_side.opposite();
        let remaining = match maker {
            Maker::Client(order) => {
                let slot = self.resting(*order);
                self.touch(slot);
                let row = self.market.orders.get_mut(slot);
                row.add_fill(trade);
                let remaining = row.remaining_quantity();
                if remaining.is_zero() {
                    row.state = OrderState::Filled;
                    self.market.orders.close(slot);
                }
                remaining
            }
            Maker::Mirror(maker) => {
                let row = self.market.mirror.get_mut(maker.order);
                row.add_fill(trade);
                row.updated = self.record.sequence;
                row.updated_at = self.record.timestamp;
                let remaining = row.remaining_quantity();
                if remaining.is_zero() {
                    self.market.mirror.remove(maker.order, self.record.sequence);
                }
                remaining
            }
        };
        let depth = &mut self.market.depth;
        if remaining.is_zero() {
            depth.leave(side, trade.price, trade.quantity);
        } else {
            depth.shrink(side, trade.price, trade.quantity);
        }
    }
}
