//! A shard and its readers' view as a checkpoint keeps them.

use proptest::prelude::*;

use super::determinism::{LIMITS, go, new_shard, records, story};
use super::instrument;
use crate::checkpoint::{decode, encode};
use crate::journal::{Durable, Position};
use crate::market_data::{Applied, MarketData, MarketDataLimits};
use crate::record::{Record, RecordError};
use crate::shard::{Replayer, Shard};

/// Small, so that memory lets go of orders and trades.
const READERS: MarketDataLimits = MarketDataLimits {
    closed_orders: 5,
    trades: 3,
};

struct Both {
    shard: Replayer,
    market_data: MarketData,
    /// What those who watch were told, and what was answered.
    told: Vec<String>,
}

impl Both {
    fn new() -> Self {
        Self::of(new_shard(), MarketData::new(instrument(), READERS))
    }

    fn of(shard: Shard, market_data: MarketData) -> Self {
        Self {
            shard: Replayer::new(shard),
            market_data,
            told: Vec::new(),
        }
    }

    fn kept(bytes: &[u8]) -> Self {
        let (shard, market_data) = decode(bytes, &instrument(), LIMITS, READERS).unwrap();
        shard.book().assert_invariants();
        Self::of(shard, market_data)
    }

    fn take(&mut self, records: &[Record]) {
        let mut applied = Applied::default();
        for record in records {
            self.shard.apply(record);
            let durable = Durable::at(Position::new(1), record);
            let answer = self.market_data.apply(durable, &mut applied);
            self.told.push(format!("{answer:?} {:?}", applied.changes));
            applied.clear();
        }
    }

    fn bytes(&self) -> Vec<u8> {
        encode(self.shard.shard(), &self.market_data)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_journal_replayed_twice_and_from_each_checkpoint_gives_the_same_bytes(
        commands in story(),
    ) {
        let answered = go(&mut new_shard(), &commands);
        let records = records(&commands, &answered);
        let mut whole = Both::new();
        whole.take(&records);
        let bytes = whole.bytes();
        let mut again = Both::new();
        for cut in 0..=records.len() {
            // As a checkpoint at every record would, each made from the one before.
            let kept = again.bytes();
            let mut from_here = Both::kept(&kept);
            prop_assert_eq!(from_here.bytes(), kept.clone());
            from_here.take(&records[cut..]);
            prop_assert_eq!(&from_here.bytes(), &bytes);
            prop_assert_eq!(&from_here.told[..], &whole.told[cut..]);
            again = Both::kept(&kept);
            again.take(&records[cut..records.len().min(cut + 1)]);
        }
        prop_assert_eq!(again.bytes(), bytes);
    }

    #[test]
    fn a_kept_shard_decides_as_the_live_one_does(
        commands in story(),
        cut in any::<prop::sample::Index>(),
    ) {
        let (first, rest) = commands.split_at(cut.index(commands.len()));
        let mut live = new_shard();
        let answered = go(&mut live, first);
        let mut both = Both::new();
        both.take(&records(first, &answered));
        let (mut kept, _) = decode(&both.bytes(), &instrument(), LIMITS, READERS).unwrap();
        prop_assert_eq!(kept.export(), live.export());
        prop_assert_eq!(go(&mut kept, rest), go(&mut live, rest));
        prop_assert_eq!(kept.export(), live.export());
    }

    #[test]
    fn bytes_that_end_too_soon_or_go_on_are_told(
        commands in story(),
        cut in any::<prop::sample::Index>(),
    ) {
        let answered = go(&mut new_shard(), &commands);
        let mut both = Both::new();
        both.take(&records(&commands, &answered));
        let mut bytes = both.bytes();
        let short = &bytes[..cut.index(bytes.len())];
        prop_assert!(decode(short, &instrument(), LIMITS, READERS).is_err());
        bytes.push(0);
        let error = |bytes: &[u8]| decode(bytes, &instrument(), LIMITS, READERS).err();
        prop_assert_eq!(error(&bytes), Some(RecordError::Surplus { surplus: 1 }));
        bytes[0] = 2;
        let (version, known) = (2, 1);
        prop_assert_eq!(error(&bytes), Some(RecordError::UnknownVersion { version, known }));
    }
}
