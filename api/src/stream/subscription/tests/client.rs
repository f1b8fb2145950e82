//! Who knows only what it is sent, and checks that it fits.

use std::collections::BTreeMap;

use serde_json::Value;

use shardbook_engine::instrument::Instrument;
use shardbook_engine::market_data::ChangeId;

use super::fake::Fake;
use crate::schema::stream::SnapshotMessage;
use crate::stream::message::{parse_event_id, text};
use crate::stream::subscription::{BookSource, Frame};

/// Who knows only what it is sent, and checks that it fits.
#[derive(Default)]
pub(super) struct Client {
    pub(super) sequence: Option<u64>,
    pub(super) bids: BTreeMap<String, String>,
    pub(super) asks: BTreeMap<String, String>,
    pub(super) snapshots: usize,
    pub(super) deltas: u64,
    /// Trades and orders, received and known to be missed.
    pub(super) trades: u64,
    pub(super) orders: u64,
    pub(super) missed: BTreeMap<String, Option<u64>>,
    pub(super) last_id: Option<ChangeId>,
    pub(super) ids: Vec<ChangeId>,
}

impl Client {
    pub(super) fn take(&mut self, frames: Vec<Frame>, instrument: &Instrument) {
        for frame in frames {
            let sse = frame.sse(instrument);
            let sse = std::str::from_utf8(&sse).unwrap();
            let (head, data) = sse.split_once("data: ").unwrap();
            assert_eq!(data.trim_end(), frame.text(instrument).as_str());
            let message: Value = serde_json::from_str(data).unwrap();
            let name = message["type"].as_str().unwrap();
            assert_eq!(head.lines().next().unwrap(), format!("event: {name}"));
            let id = head.lines().find_map(|line| line.strip_prefix("id: "));
            if let Some(id) = id {
                let id = parse_event_id(id).unwrap();
                assert!(Some(id) >= self.last_id, "ids never go back");
                self.last_id = Some(id);
                self.ids.push(id);
            }
            self.message(name, &message);
            assert!(
                id.is_none() || self.sequence.is_some(),
                "no resuming without a book"
            );
        }
    }

    fn message(&mut self, name: &str, message: &Value) {
        match name {
            "trade" => self.trades += 1,
            "order" => self.orders += 1,
            "gap" => {
                let channel = message["channel"].as_str().unwrap().to_owned();
                if channel == "orderbook_deltas" {
                    assert!(
                        self.sequence.take().is_some() || message["missed"].is_null(),
                        "one gap until the snapshot"
                    );
                }
                let missed = self.missed.entry(channel).or_insert(Some(0));
                *missed = missed
                    .zip(message["missed"].as_u64())
                    .map(|(before, now)| before + now);
            }
            "orderbook_snapshot" => {
                self.snapshots += 1;
                self.bids.clear();
                self.asks.clear();
                self.follow(message);
            }
            "orderbook_delta" => {
                self.deltas += 1;
                assert_eq!(
                    message["previous_sequence"].as_u64(),
                    self.sequence,
                    "the chain holds"
                );
                assert!(message["sequence"].as_u64() > self.sequence);
                self.follow(message);
            }
            other => panic!("{other} is no message"),
        }
    }

    fn follow(&mut self, message: &Value) {
        self.sequence = message["sequence"].as_u64();
        for (side, levels) in [("bids", &mut self.bids), ("asks", &mut self.asks)] {
            for level in message[side].as_array().unwrap() {
                let text = |at: usize| level[at].as_str().unwrap().to_owned();
                if text(1) == "0" {
                    levels.remove(&text(0));
                } else {
                    levels.insert(text(0), text(1));
                }
            }
        }
    }

    pub(super) fn assert_has_the_book_of(&self, fake: &Fake) {
        let image = fake.image();
        let mut expected = Self::default();
        let text = text(&SnapshotMessage::new(&image, &fake.instrument));
        expected.follow(&serde_json::from_str(&text).unwrap());
        assert_eq!(self.sequence, Some(image.sequence.get()));
        assert_eq!((&self.bids, &self.asks), (&expected.bids, &expected.asks));
    }
}
