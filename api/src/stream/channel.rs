//! The kinds of events one can subscribe to.

use std::sync::atomic::{AtomicU8, Ordering};

use shardbook_engine::market_data::ChangeKind;

/// One kind of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Trades.
    Trades,
    /// Changed levels of the book, after a snapshot of all of it.
    OrderbookDeltas,
    /// Orders placed and changed, the mirror's left out.
    Orders,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Trades, Self::OrderbookDeltas, Self::Orders];

    /// The channel that carries this kind of change.
    #[must_use]
    pub const fn of(change: &ChangeKind) -> Self {
        match change {
            ChangeKind::Trade(_) => Self::Trades,
            ChangeKind::Order(_) => Self::Orders,
            ChangeKind::Delta(_) => Self::OrderbookDeltas,
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Trades => 1,
            Self::OrderbookDeltas => 2,
            Self::Orders => 4,
        }
    }
}

/// Some of the channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelSet(u8);

impl ChannelSet {
    /// Whether the channel is among them.
    #[must_use]
    pub const fn contains(self, channel: Channel) -> bool {
        self.0 & channel.bit() != 0
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The channels in the order of [`Channel::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Channel> {
        let all = Channel::ALL.into_iter();
        all.filter(move |channel| self.contains(*channel))
    }
}

impl FromIterator<Channel> for ChannelSet {
    fn from_iter<I: IntoIterator<Item = Channel>>(channels: I) -> Self {
        let bits = channels.into_iter().map(Channel::bit);
        Self(bits.fold(0, |set, bit| set | bit))
    }
}

/// A set that one side takes channels out of while the other looks.
#[derive(Debug)]
pub struct SharedChannels(AtomicU8);

impl SharedChannels {
    /// The set to begin with.
    #[must_use]
    pub const fn new(channels: ChannelSet) -> Self {
        Self(AtomicU8::new(channels.0))
    }

    /// The set now.
    #[must_use]
    pub fn get(&self) -> ChannelSet {
        ChannelSet(self.0.load(Ordering::Acquire))
    }

    /// Takes a channel out, and returns what is left.
    pub fn remove(&self, channel: Channel) -> ChannelSet {
        let before = self.0.fetch_and(!channel.bit(), Ordering::AcqRel);
        ChannelSet(before & !channel.bit())
    }
}

/// How many events of each channel there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    trades: u64,
    deltas: u64,
    orders: u64,
}

impl Counts {
    /// Counts one more.
    pub const fn add(&mut self, channel: Channel) {
        match channel {
            Channel::Trades => self.trades += 1,
            Channel::OrderbookDeltas => self.deltas += 1,
            Channel::Orders => self.orders += 1,
        }
    }

    /// How many of one channel.
    #[must_use]
    pub const fn get(self, channel: Channel) -> u64 {
        match channel {
            Channel::Trades => self.trades,
            Channel::OrderbookDeltas => self.deltas,
            Channel::Orders => self.orders,
        }
    }

    /// How many came after `earlier`.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            trades: self.trades.saturating_sub(earlier.trades),
            deltas: self.deltas.saturating_sub(earlier.deltas),
            orders: self.orders.saturating_sub(earlier.orders),
        }
    }
}
