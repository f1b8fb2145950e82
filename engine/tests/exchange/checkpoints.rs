//! Checkpoints made behind the shards' backs, and starts from them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use shardbook_engine::checkpoint::{
    CheckpointError, CheckpointStore, Manifest, ManifestEntry, Projected, Saved,
};
use shardbook_engine::exchange::Exchange;
use shardbook_engine::id::InstrumentId;
use shardbook_engine::journal::Position;
use shardbook_engine::partition::PartitionId;
use shardbook_engine::recovery::RecoveryReport;
use shardbook_engine::router::InstrumentHandle;
use shardbook_engine::side::Side;

use crate::memory_journal::MemoryJournal;
use crate::{Seen, cancel, handle, place, setup, start};

/// Checkpoints in memory, of which a test can spoil the newest.
#[derive(Clone, Default)]
struct MemoryCheckpoints(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    manifests: Vec<Manifest>,
    states: HashMap<(InstrumentId, Position), Vec<u8>>,
}

impl MemoryCheckpoints {
    fn positions(&self) -> Vec<u64> {
        let kept = self.0.lock().unwrap();
        let positions = kept.manifests.iter();
        positions.map(|manifest| manifest.position.get()).collect()
    }

    /// Makes the newest unreadable.
    fn spoil_newest(&self) {
        let mut kept = self.0.lock().unwrap();
        let newest = kept.manifests[0].position;
        for ((_, position), state) in &mut kept.states {
            if *position == newest {
                state[0] = 99;
            }
        }
    }
}

impl CheckpointStore for MemoryCheckpoints {
    fn manifests(&self) -> Result<Vec<Manifest>, CheckpointError> {
        Ok(self.0.lock().unwrap().manifests.clone())
    }

    fn save(
        &self,
        instrument: InstrumentId,
        position: Position,
        bytes: &[u8],
    ) -> Result<Saved, CheckpointError> {
        let mut kept = self.0.lock().unwrap();
        kept.states.insert((instrument, position), bytes.to_vec());
        Ok(Saved {
            position,
            bytes: u64::try_from(bytes.len()).unwrap(),
            checksum: 0,
        })
    }

    fn load(&self, entry: &ManifestEntry) -> Result<Vec<u8>, CheckpointError> {
        let kept = self.0.lock().unwrap();
        Ok(kept.states[&(entry.instrument, entry.saved.position)].clone())
    }

    fn commit(
        &self,
        manifest: &Manifest,
        before: Option<&Manifest>,
    ) -> Result<(), CheckpointError> {
        let mut kept = self.0.lock().unwrap();
        kept.manifests = [Some(manifest), before]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        Ok(())
    }
}

/// A database that has taken in everything up to a position, if it is there at all.
#[derive(Default)]
struct Database(Mutex<Option<Position>>);

impl Projected for Database {
    fn committed(&self, _partition: PartitionId) -> Option<Position> {
        *self.0.lock().unwrap()
    }
}

fn start_with(journal: &MemoryJournal, checkpoints: &MemoryCheckpoints) -> (Exchange, Arc<Seen>) {
    let (mut setup, seen) = setup(journal, 100);
    setup.checkpoints = vec![Arc::new(checkpoints.clone())];
    (Exchange::start(setup).unwrap(), seen)
}

/// Places so many orders, one frame each.
async fn place_some(exchange: &Exchange, prefix: &str, symbol: &str, count: u64) {
    let on = handle(exchange, symbol);
    for number in 0..count {
        let side = if number % 3 == 0 {
            Side::Sell
        } else {
            Side::Buy
        };
        let command = place(&format!("{prefix}-{number}"), side, 100 + number % 5, 5);
        exchange.router().call(&on, command).await.unwrap();
    }
}

/// Everything that an instrument's shard and readers know, as a checkpoint would keep it.
fn books(exchange: &Exchange) -> Vec<String> {
    let instruments = exchange.router().instruments();
    let show = |on: &Arc<InstrumentHandle>| {
        let market_data = on.market_data().read();
        let orders: Vec<_> = market_data.kept_orders().collect();
        format!(
            "{:?} {:?} {orders:?}",
            market_data.marks(),
            market_data.kept_trades()
        )
    };
    instruments.iter().map(show).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_stop_nothing_is_replayed_and_streams_go_on() {
    let (journal, checkpoints) = (MemoryJournal::default(), MemoryCheckpoints::default());
    let (exchange, seen) = start_with(&journal, &checkpoints);
    place_some(&exchange, "a", "BTC-USD", 20).await;
    place_some(&exchange, "b", "ETH-USD", 3).await;
    let before = books(&exchange);
    let newest = seen.changes.lock().unwrap().last().unwrap().1.id;
    exchange.stop().await;
    assert_eq!(checkpoints.positions(), [23]);

    let (exchange, seen) = start_with(&journal, &checkpoints);
    let report = RecoveryReport {
        checkpoint: Some(Position::new(23)),
        records_replayed: 0,
    };
    assert_eq!(exchange.recovery(), [report]);
    assert_eq!(books(&exchange), before);
    assert!(seen.changes.lock().unwrap().is_empty());
    let begun = seen.begun.lock().unwrap().clone();
    assert_eq!(begun.len(), 2, "one has no changes yet");
    assert!(begun.contains(&(InstrumentId::new(1), newest)));
    // Its order is found by its id.
    let btc = handle(&exchange, "BTC-USD");
    exchange
        .router()
        .call(&btc, cancel("a-0"))
        .await
        .unwrap_err();
    place_some(&exchange, "c", "BTC-USD", 1).await;
    assert!(seen.changes.lock().unwrap()[0].1.id.sequence.get() == 21);
    exchange.stop().await;
    assert_eq!(checkpoints.positions(), [24, 23]);
    let (exchange, _) = start_with(&journal, &checkpoints);
    exchange.stop().await;
    assert_eq!(checkpoints.positions(), [24, 23], "nothing new");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_from_any_checkpoint_is_a_start_from_none() {
    let (journal, checkpoints) = (MemoryJournal::default(), MemoryCheckpoints::default());
    for life in 0..3 {
        let (exchange, _) = start_with(&journal, &checkpoints);
        place_some(&exchange, &format!("life-{life}"), "BTC-USD", 10).await;
        exchange.stop().await;
    }
    let (exchange, _) = start(&journal, 100);
    assert_eq!(exchange.recovery()[0].records_replayed, 30);
    let whole = books(&exchange);
    exchange.stop().await;
    for (checkpoint, replayed) in [(30, 0), (20, 10)] {
        let (exchange, _) = start_with(&journal, &checkpoints);
        let report = RecoveryReport {
            checkpoint: Some(Position::new(checkpoint)),
            records_replayed: replayed,
        };
        assert_eq!(exchange.recovery(), [report]);
        assert_eq!(books(&exchange), whole);
        drop(exchange);
        checkpoints.spoil_newest();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_ahead_of_its_journal_is_refused() {
    let (journal, checkpoints) = (MemoryJournal::default(), MemoryCheckpoints::default());
    let (exchange, _) = start_with(&journal, &checkpoints);
    place_some(&exchange, "a", "BTC-USD", 3).await;
    exchange.stop().await;
    let (mut setup, _) = setup(&MemoryJournal::default(), 100);
    setup.checkpoints = vec![Arc::new(checkpoints)];
    let error = Exchange::start(setup).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("its end is missing"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_are_made_while_running_and_trim_what_nobody_needs() {
    let (journal, checkpoints) = (MemoryJournal::default(), MemoryCheckpoints::default());
    let (mut setup, _) = setup(&journal, 100);
    setup.checkpoints = vec![Arc::new(checkpoints.clone())];
    setup.limits.checkpoint_records = 10;
    let exchange = Exchange::start(setup).unwrap();
    let database = Arc::new(Database::default());
    exchange.trim_behind(database.clone());
    let mut placed = 0;
    // The database is away: nothing goes.
    while checkpoints.positions().len() < 2 {
        place_some(&exchange, &format!("a{placed}"), "BTC-USD", 1).await;
        placed += 1;
    }
    assert_eq!(journal.trimmed_below(), []);
    *database.0.lock().unwrap() = Some(Position::new(7));
    while journal.trimmed_below().is_empty() {
        place_some(&exchange, &format!("a{placed}"), "BTC-USD", 1).await;
        placed += 1;
    }
    assert_eq!(journal.trimmed_below(), [7]);
    *database.0.lock().unwrap() = Some(Position::new(1_000_000));
    while journal.trimmed_below().len() < 2 {
        place_some(&exchange, &format!("a{placed}"), "BTC-USD", 1).await;
        placed += 1;
    }
    // By now there may be newer ones; they never were older.
    let older = checkpoints.positions()[1];
    assert!(journal.trimmed_below().iter().all(|below| *below <= older));
    let before = books(&exchange);
    exchange.stop().await;
    let (exchange, _) = start_with(&journal, &checkpoints);
    assert_eq!(exchange.recovery()[0].records_replayed, 0);
    assert_eq!(books(&exchange), before);
    exchange.stop().await;
}
