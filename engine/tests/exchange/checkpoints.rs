//! Checkpoints made behind the shards' backs, and starts from them.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use shardbook_engine::checkpoint::{
    CheckpointError, CheckpointStore, Manifest, ManifestEntry, Projected, Saved,
};
use shardbook_engine::command::{Command, MassCancel};
use shardbook_engine::exchange::{AddError, Exchange};
use shardbook_engine::id::InstrumentId;
use shardbook_engine::journal::Position;
use shardbook_engine::order::CancelReason;
use shardbook_engine::partition::PartitionId;
use shardbook_engine::recovery::RecoveryReport;
use shardbook_engine::router::InstrumentHandle;
use shardbook_engine::side::Side;
use shardbook_test_support::journal::MemoryJournal;
use shardbook_test_support::random::Random;

use crate::{Seen, cancel, client, handle, instrument, place, setup, start, until};

/// Checkpoints in memory, of which a test can spoil the newest.
#[derive(Clone, Default)]
pub(crate) struct MemoryCheckpoints {
    kept: Arc<Mutex<Kept>>,
    /// A test lets the next save go on by dropping the other end.
    gate: Arc<Mutex<Option<Receiver<()>>>>,
}

#[derive(Default)]
struct Kept {
    manifests: Vec<Manifest>,
    /// All that there ever were, oldest first.
    ever: Vec<Manifest>,
    states: HashMap<(InstrumentId, Position), Vec<u8>>,
    /// Saves that have begun, finished or not.
    saves_begun: usize,
}

impl MemoryCheckpoints {
    fn positions(&self) -> Vec<u64> {
        let kept = self.kept.lock().unwrap();
        let positions = kept.manifests.iter();
        positions.map(|manifest| manifest.position.get()).collect()
    }

    /// The same states, and no other manifest than one there was.
    fn only(&self, manifest: &Manifest) -> Self {
        let states = self.kept.lock().unwrap().states.clone();
        let kept = Kept {
            manifests: vec![manifest.clone()],
            states,
            ..Kept::default()
        };
        Self {
            kept: Arc::new(Mutex::new(kept)),
            gate: Arc::default(),
        }
    }

    /// The newest checkpoint's bytes, by instrument.
    fn newest_states(&self) -> Vec<(InstrumentId, Vec<u8>)> {
        let kept = self.kept.lock().unwrap();
        let entries = kept.manifests[0].entries.iter();
        entries
            .map(|entry| {
                let state = &kept.states[&(entry.instrument, entry.saved.position)];
                (entry.instrument, state.clone())
            })
            .collect()
    }

    /// Makes the newest unreadable.
    fn spoil_newest(&self) {
        let mut kept = self.kept.lock().unwrap();
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
        Ok(self.kept.lock().unwrap().manifests.clone())
    }

    fn save(
        &self,
        instrument: InstrumentId,
        position: Position,
        bytes: &[u8],
    ) -> Result<Saved, CheckpointError> {
        self.kept.lock().unwrap().saves_begun += 1;
        let gate = self.gate.lock().unwrap().take();
        gate.map(|gate| gate.recv().unwrap_err());
        let mut kept = self.kept.lock().unwrap();
        kept.states.insert((instrument, position), bytes.to_vec());
        Ok(Saved {
            position,
            bytes: u64::try_from(bytes.len()).unwrap(),
            checksum: 0,
        })
    }

    fn load(&self, entry: &ManifestEntry) -> Result<Vec<u8>, CheckpointError> {
        let kept = self.kept.lock().unwrap();
        Ok(kept.states[&(entry.instrument, entry.saved.position)].clone())
    }

    fn commit(
        &self,
        manifest: &Manifest,
        before: Option<&Manifest>,
    ) -> Result<(), CheckpointError> {
        let mut kept = self.kept.lock().unwrap();
        kept.ever.push(manifest.clone());
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
pub(crate) struct Database(pub(crate) Mutex<Option<Position>>);

impl Projected for Database {
    fn flushed(&self, _partition: PartitionId, _wanted: Position) -> Option<Position> {
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
async fn an_instrument_added_while_running_starts_once_and_is_in_the_checkpoints() {
    let (journal, checkpoints) = (MemoryJournal::default(), MemoryCheckpoints::default());
    let (exchange, _) = start_with(&journal, &checkpoints);
    let added = instrument(7, "DOGE-USD");
    let first = PartitionId::new(0);
    let additions = exchange.additions();
    additions.start(Arc::clone(&added), first).await.unwrap();
    place_some(&exchange, "a", "DOGE-USD", 5).await;
    additions.start(added, first).await.unwrap();
    place_some(&exchange, "b", "DOGE-USD", 5).await;
    let on = handle(&exchange, "DOGE-USD");
    assert_eq!(on.market_data().read().sequence().get(), 10);
    let elsewhere = additions.start(instrument(8, "XRP-USD"), PartitionId::new(1));
    let no_such_partition = AddError::NoSuchPartition { partition: 1 };
    assert_eq!(elsewhere.await, Err(no_such_partition));
    let additions = additions.clone();
    exchange.stop().await;
    assert_eq!(checkpoints.positions(), [10]);
    let late = additions.start(instrument(9, "ADA-USD"), first).await;
    assert_eq!(late, Err(AddError::Stopping));
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
    assert!(journal.trimmed_below().is_empty());
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

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_is_asked_for_holds_up_no_order() {
    let (journal, checkpoints) = (MemoryJournal::default(), MemoryCheckpoints::default());
    let (exchange, _) = start_with(&journal, &checkpoints);
    place_some(&exchange, "a", "BTC-USD", 10).await;
    let (go_on, gate) = channel();
    *checkpoints.gate.lock().unwrap() = Some(gate);
    let requests = exchange.checkpoint_requests().clone();
    let asked = tokio::spawn(async move { requests.make().await });
    until(|| checkpoints.kept.lock().unwrap().saves_begun == 1).await;
    place_some(&exchange, "b", "BTC-USD", 10).await;
    assert!(!asked.is_finished());
    assert!(checkpoints.positions().is_empty());
    drop(go_on);
    asked.await.unwrap();
    assert_eq!(
        checkpoints.positions(),
        [10],
        "as far as it was when asked for"
    );
    exchange.checkpoint_requests().make().await;
    exchange.checkpoint_requests().make().await;
    assert_eq!(checkpoints.positions(), [20, 10], "nothing new, no new one");
    let requests = exchange.checkpoint_requests().clone();
    exchange.stop().await;
    requests.make().await;
}

/// A random command that there is a record of, more often than not.
fn any_command(random: &mut Random, number: u64) -> (&'static str, Command) {
    let symbol = random.one_of(&["BTC-USD", "ETH-USD", "SOL-USD"]);
    let side = random.one_of(&[Side::Buy, Side::Sell]);
    let command = match random.below(10) {
        0 | 1 => cancel(&format!("o-{}", random.below(number + 1))),
        2 => Command::MassCancel(MassCancel {
            client: client("alice"),
            side: Some(side),
            reason: CancelReason::MassCancel,
        }),
        3 if random.below(4) == 0 => Command::Halt,
        4 => Command::Resume,
        _ => place(
            &format!("o-{number}"),
            side,
            100 + random.below(10),
            1 + random.below(9),
        ),
    };
    (symbol, command)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_checkpoint_of_a_long_journal_leads_to_the_same_state_to_the_byte() {
    for seed in 0..2 {
        let (journal, checkpoints) = (MemoryJournal::default(), MemoryCheckpoints::default());
        let (exchange, _) = start_with(&journal, &checkpoints);
        let mut random = Random::seeded(seed);
        for number in 0..120 {
            let (symbol, command) = any_command(&mut random, number);
            let on = handle(&exchange, symbol);
            // Whatever becomes of it.
            let _ = exchange.router().call(&on, command).await;
            if number % 3 == 0 {
                exchange.checkpoint_requests().make().await;
            }
        }
        let whole = books(&exchange);
        exchange.stop().await;
        let states = checkpoints.newest_states();
        assert_eq!(states.len(), 3);
        let ever = std::mem::take(&mut checkpoints.kept.lock().unwrap().ever);
        assert!(ever.len() > 30, "{}", ever.len());
        for manifest in &ever {
            let from_here = checkpoints.only(manifest);
            let (exchange, _) = start_with(&journal, &from_here);
            assert_eq!(exchange.recovery()[0].checkpoint, Some(manifest.position));
            assert_eq!(
                books(&exchange),
                whole,
                "seed {seed}, {}",
                manifest.position
            );
            exchange.stop().await;
            assert!(
                from_here.newest_states() == states,
                "seed {seed}, {}",
                manifest.position
            );
        }
        let none = MemoryCheckpoints::default();
        for _ in 0..2 {
            let (exchange, _) = start_with(&journal, &none);
            assert_eq!(books(&exchange), whole, "seed {seed}");
            exchange.stop().await;
            assert!(none.newest_states() == states, "seed {seed}");
        }
    }
}
