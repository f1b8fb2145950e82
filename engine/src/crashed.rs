//! The commands that crashed their shards, which must not do it again.
//!
//! Only their fingerprints are kept, of the last ones of all shards together, until the process
//! ends: a restart may well come with what mends the bug.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::mem::discriminant;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;
use xxhash_rust::xxh3::Xxh3;

use crate::command::Command;
use crate::id::InstrumentId;
use crate::order::ChosenId;

/// Most commands that are remembered: each stands for a panic, and after three in a minute their
/// instrument is halted. Beyond it the oldest is forgotten.
const REMEMBERED_MAX: usize = 1_000;

/// What tells one command from others: the 128-bit xxh3 hash of its instrument, its kind, and its
/// client and idempotency key; without a key its client and order id; without those all it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fingerprint(u128);

/// The fingerprints of the last commands that crashed a shard. Shared by all shards.
#[derive(Debug, Default)]
pub(crate) struct CrashedCommands {
    /// Oldest first.
    fingerprints: RwLock<VecDeque<Fingerprint>>,
    /// How many there are, so that commands are not hashed while there is nothing to find.
    count: AtomicUsize,
}

impl CrashedCommands {
    /// Remembers a command that crashed its shard.
    pub(crate) fn remember(&self, instrument: InstrumentId, command: &Command) {
        let fingerprint = Fingerprint::of(instrument, command);
        let mut fingerprints = self.fingerprints.write();
        fingerprints.retain(|known| *known != fingerprint);
        if fingerprints.len() == REMEMBERED_MAX {
            fingerprints.pop_front();
        }
        fingerprints.push_back(fingerprint);
        self.count.store(fingerprints.len(), Ordering::Release);
    }

    /// Whether this command, or one that can't be told from it, crashed its shard before.
    pub(crate) fn contains(&self, instrument: InstrumentId, command: &Command) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return false;
        }
        let fingerprint = Fingerprint::of(instrument, command);
        self.fingerprints.read().contains(&fingerprint)
    }
}

impl Fingerprint {
    fn of(instrument: InstrumentId, command: &Command) -> Self {
        let mut hasher = Xxh3::new();
        instrument.hash(&mut hasher);
        discriminant(command).hash(&mut hasher);
        match command {
            Command::Place(order) => {
                order.client.hash(&mut hasher);
                match (&order.idempotency_key, &order.id) {
                    (Some(key), _) => hash_as("key", key, &mut hasher),
                    (None, ChosenId::Client(id)) => hash_as("id", id, &mut hasher),
                    // The exchange gives each request another id: the rest has to do.
                    (None, ChosenId::Exchange(_)) => {
                        let rest = (
                            order.side,
                            order.kind,
                            order.quantity,
                            order.self_trade_prevention,
                        );
                        hash_as("fields", &rest, &mut hasher);
                    }
                }
            }
            Command::Cancel(cancel) => (&cancel.requester, &cancel.order_id).hash(&mut hasher),
            Command::Amend(amend) => (&amend.requester, &amend.order_id).hash(&mut hasher),
            Command::MassCancel(mass) => mass.hash(&mut hasher),
            Command::Tape(tape) => tape.hash(&mut hasher),
            Command::Mirror(update) => update.hash(&mut hasher),
            Command::WithdrawMirror | Command::Halt | Command::Resume => {}
            Command::CloseDay(day) => day.hash(&mut hasher),
        }
        Self(hasher.digest128())
    }
}

/// Hashes a value together with what it is.
fn hash_as(what: &str, value: &impl Hash, hasher: &mut impl Hasher) {
    what.hash(hasher);
    value.hash(hasher);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Cancel, Requester};
    use crate::id::{ClientId, IdempotencyKey, OrderId};
    use crate::order::{NewOrder, OrderKind, SelfTradePrevention};
    use crate::quantity::Quantity;
    use crate::side::Side;

    const BTC: InstrumentId = InstrumentId::new(0);
    const ETH: InstrumentId = InstrumentId::new(1);

    /// `alice k1 x 5`: client, key, id and quantity, `-` for one left out.
    fn place(words: &str) -> Command {
        let words: Vec<Option<&str>> = words
            .split(' ')
            .map(|word| (word != "-").then_some(word))
            .collect();
        let id = words[2].map_or_else(
            || ChosenId::Exchange(OrderId::new(&uuid::Uuid::now_v7().to_string()).unwrap()),
            |id| ChosenId::Client(OrderId::new(id).unwrap()),
        );
        Command::Place(NewOrder {
            id,
            client: ClientId::new(words[0].unwrap()).unwrap(),
            idempotency_key: words[1].map(|key| IdempotencyKey::new(key).unwrap()),
            side: Side::Buy,
            kind: OrderKind::Market,
            quantity: Quantity::new(words[3].unwrap().parse().unwrap()).unwrap(),
            self_trade_prevention: SelfTradePrevention::None,
        })
    }

    #[test]
    fn a_command_is_known_by_its_key_else_its_id_else_all_it_says() {
        let rows = [
            ("alice k1 x 5", "alice k1 x 5", true),
            ("alice k1 x 5", "alice k1 y 6", true),
            ("alice k1 x 5", "alice k2 x 5", false),
            ("alice k1 x 5", "bob k1 x 5", false),
            ("alice k1 x 5", "alice - x 5", false),
            ("alice - x 5", "alice - x 6", true),
            ("alice - x 5", "alice - y 5", false),
            ("alice - x 5", "bob - x 5", false),
            ("alice - x 5", "alice x y 5", false),
            ("alice - - 5", "alice - - 5", true),
            ("alice - - 5", "alice - - 6", false),
            ("alice - - 5", "alice - x 5", false),
        ];
        for (crashed, next, expected) in rows {
            let commands = CrashedCommands::default();
            assert!(!commands.contains(BTC, &place(next)));
            commands.remember(BTC, &place(crashed));
            assert_eq!(
                commands.contains(BTC, &place(next)),
                expected,
                "{crashed}, {next}"
            );
            assert!(
                !commands.contains(ETH, &place(next)),
                "another instrument's"
            );
        }
    }

    #[test]
    fn a_cancel_is_not_taken_for_its_order() {
        let commands = CrashedCommands::default();
        commands.remember(BTC, &place("alice - x 5"));
        let cancel = |requester| {
            Command::Cancel(Cancel {
                order_id: OrderId::new("x").unwrap(),
                requester,
            })
        };
        assert!(!commands.contains(BTC, &cancel(Requester::Anyone)));
        commands.remember(BTC, &cancel(Requester::Anyone));
        assert!(commands.contains(BTC, &cancel(Requester::Anyone)));
        let alice = Requester::Client(ClientId::new("alice").unwrap());
        assert!(!commands.contains(BTC, &cancel(alice)));
    }

    #[test]
    fn the_oldest_is_forgotten_and_one_that_comes_again_is_the_newest() {
        let commands = CrashedCommands::default();
        let order = |number: usize| place(&format!("alice - o{number} 5"));
        for number in 0..REMEMBERED_MAX {
            commands.remember(BTC, &order(number));
        }
        commands.remember(BTC, &order(0));
        commands.remember(BTC, &order(REMEMBERED_MAX));
        assert!(commands.contains(BTC, &order(0)));
        assert!(!commands.contains(BTC, &order(1)));
        assert!(commands.contains(BTC, &order(2)));
        assert!(commands.contains(BTC, &order(REMEMBERED_MAX)));
        assert_eq!(commands.fingerprints.read().len(), REMEMBERED_MAX);
    }
}
