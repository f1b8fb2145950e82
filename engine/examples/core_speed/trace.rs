//! A made-up market's commands: the same for the same seed, on any machine.
//!
//! Of 100 commands 54 rest near the touch, 36 cancel a resting order, 8 are limit orders that
//! cross, 2 are market orders; about 12,000 orders rest once it has warmed up.

use shardbook_engine::book::{Book, BookEvent, ClientNumber, Handle, Incoming, Outcome};
use shardbook_engine::order::{OrderKind, SelfTradePrevention, TimeInForce};
use shardbook_engine::price::Price;
use shardbook_engine::quantity::Quantity;
use shardbook_engine::side::Side;

/// The number of the first client; 0 and 1 are the mirror's and the tape's.
const FIRST_CLIENT: u32 = 2;
const CLIENTS: u64 = 100;
/// The price everything begins around, in ticks.
const MIDDLE: u64 = 7_000_000;
/// What would rest at prices between ticks rests this far from the touch at most.
const DISTANCE_MAX_BITS: u64 = 10;

/// One command.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Places the order of the next number.
    Place { incoming: Incoming, kind: OrderKind },
    /// Cancels a resting order.
    Cancel { number: u64, handle: Handle },
}

/// Makes steps without end, and carries them out on a book of its own to know what rests.
pub struct Trace {
    random: u64,
    resting_wanted: usize,
    book: Book,
    events: Vec<BookEvent>,
    orders: u64,
    /// What rests, in no order.
    resting: Vec<(u64, Handle)>,
    /// Where a handle stands in `resting`.
    places: Vec<usize>,
}

impl Trace {
    pub fn new(seed: u64, resting_wanted: usize) -> Self {
        Self {
            random: seed,
            resting_wanted,
            book: Book::new(),
            events: Vec::new(),
            orders: 0,
            resting: Vec::new(),
            places: Vec::new(),
        }
    }

    /// Steps that only rest, until as much rests as is wanted.
    pub fn warm_up(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        while self.resting.len() < self.resting_wanted {
            let step = self.rest();
            steps.push(step);
        }
        steps
    }

    /// Steps that cancel.
    pub fn cancels(&mut self, count: usize) -> Vec<Step> {
        (0..count).map(|_| self.cancel()).collect()
    }

    /// Steps that match: market orders, each for about half a resting one.
    pub fn matches(&mut self, count: usize) -> Vec<Step> {
        let step = |_| {
            let (side, quantity) = (self.side(), 1 + self.below(50));
            self.place(side, quantity, OrderKind::Market)
        };
        (0..count).map(step).collect()
    }

    /// The next mixed steps.
    pub fn steps(&mut self, count: usize) -> Vec<Step> {
        (0..count).map(|_| self.step()).collect()
    }

    fn step(&mut self) -> Step {
        match self.below(100) {
            0..54 => self.rest(),
            54..90 => self.cancel(),
            90..98 => self.cross(),
            _ => self.market(),
        }
    }

    fn rest(&mut self) -> Step {
        let side = self.side();
        let distance = 1 << self.below(DISTANCE_MAX_BITS);
        let distance = 1 + self.below(distance);
        let touch = self
            .book
            .best(side.opposite())
            .map(|(price, _)| price.ticks());
        let ticks = match side {
            Side::Buy => touch.unwrap_or(MIDDLE + 1) - distance,
            Side::Sell => touch.unwrap_or(MIDDLE) + distance,
        };
        let quantity = 1 + self.below(100);
        self.place(side, quantity, limit(ticks))
    }

    fn cross(&mut self) -> Step {
        let side = self.side();
        let Some((best, _)) = self.book.best(side.opposite()) else {
            return self.rest();
        };
        let quantity = self.taken();
        self.place(side, quantity, limit(best.ticks()))
    }

    fn market(&mut self) -> Step {
        let (side, quantity) = (self.side(), self.taken());
        self.place(side, quantity, OrderKind::Market)
    }

    /// What a taker takes: one order, or a few while too much rests.
    fn taken(&mut self) -> u64 {
        let most = if self.resting.len() > self.resting_wanted {
            300
        } else {
            50
        };
        1 + self.below(most)
    }

    fn cancel(&mut self) -> Step {
        let Some(count) = u64::try_from(self.resting.len())
            .ok()
            .filter(|count| *count > 0)
        else {
            return self.rest();
        };
        let place = usize::try_from(self.below(count)).expect("an index");
        let (number, handle) = self.resting[place];
        self.book.cancel(handle);
        self.gone(handle);
        Step::Cancel { number, handle }
    }

    fn place(&mut self, side: Side, quantity: u64, kind: OrderKind) -> Step {
        let client = u32::try_from(self.below(CLIENTS)).expect("fewer than 100");
        let incoming = Incoming {
            client: ClientNumber::new(FIRST_CLIENT + client),
            side,
            quantity: Quantity::new(quantity).expect("a small number"),
            self_trade_prevention: SelfTradePrevention::None,
        };
        let outcome = self.book.place(incoming, kind, &mut self.events);
        for event in std::mem::take(&mut self.events) {
            match event {
                BookEvent::Traded {
                    maker,
                    maker_remaining,
                    ..
                } if maker_remaining.is_zero() => {
                    self.gone(maker);
                }
                _ => {}
            }
        }
        if let Outcome::Rested(handle) = outcome {
            if self.places.len() <= handle.index() {
                self.places.resize(handle.index() + 1, 0);
            }
            self.places[handle.index()] = self.resting.len();
            self.resting.push((self.orders, handle));
        }
        self.orders += 1;
        Step::Place { incoming, kind }
    }

    fn gone(&mut self, handle: Handle) {
        let place = self.places[handle.index()];
        self.resting.swap_remove(place);
        if let Some((_, moved)) = self.resting.get(place) {
            self.places[moved.index()] = place;
        }
    }

    fn side(&mut self) -> Side {
        if self.below(2) == 0 {
            Side::Buy
        } else {
            Side::Sell
        }
    }

    /// A number below `bound`: Knuth's linear congruential generator, its upper half.
    fn below(&mut self, bound: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % bound
    }
}

fn limit(ticks: u64) -> OrderKind {
    OrderKind::Limit {
        price: Price::new(ticks).expect("far from both ends"),
        time_in_force: TimeInForce::Gtc,
    }
}
