//! Random commands, the real book judged by the naive one after each.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::super::ClientNumber;
use super::model::{Command, Name, Placement, lots, ticks};
use super::notation::Market;
use crate::command::{MirrorLevel, MirrorScope};
use crate::order::{OrderKind, SelfTradePrevention, TimeInForce};
use crate::price::{Price, TICKS_MAX};
use crate::side::Side;

/// A command before it is known what rests and where the touch is.
#[derive(Clone, Debug)]
enum Step {
    Place {
        client: u32,
        side: Side,
        at: Distance,
        quantity: u64,
        kind: Kind,
        self_trade_prevention: SelfTradePrevention,
    },
    /// The order at this fraction of all that rest, clients' only.
    Cancel(u16),
    /// The same, and how much of it is to remain, as a fraction.
    Reduce(u16, u16),
    Mirror(MirrorScope, Vec<(Side, Distance, u64)>),
    Withdraw,
    /// The touch wanders.
    Wander(i64),
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Market,
    Limit(TimeInForce),
}

/// How far from the touch a price is, in ticks.
#[derive(Clone, Copy, Debug)]
struct Distance(i64);

impl Distance {
    fn from(self, touch: i64) -> Price {
        let most = i64::try_from(TICKS_MAX).unwrap();
        ticks(u64::try_from((touch + self.0).clamp(1, most)).unwrap())
    }
}

fn distance() -> impl Strategy<Value = Distance> {
    prop_oneof![
        12 => -8_i64..=8,
        3 => -200_i64..=200,
        2 => -6_000_i64..=6_000,
        1 => -1_000_000_000_000_i64..=1_000_000_000_000,
    ]
    .prop_map(Distance)
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        6 => Just(Kind::Limit(TimeInForce::Gtc)),
        1 => Just(Kind::Limit(TimeInForce::Ioc)),
        2 => Just(Kind::Limit(TimeInForce::Fok)),
        1 => Just(Kind::Limit(TimeInForce::PostOnly)),
        2 => Just(Kind::Market),
    ]
}

fn self_trade_prevention() -> impl Strategy<Value = SelfTradePrevention> {
    prop_oneof![
        2 => Just(SelfTradePrevention::None),
        1 => Just(SelfTradePrevention::CancelTaker),
        1 => Just(SelfTradePrevention::CancelMaker),
        1 => Just(SelfTradePrevention::CancelBoth),
    ]
}

fn place() -> impl Strategy<Value = Step> {
    let quantity = prop_oneof![5 => 1_u64..4, 4 => 1_u64..20, 1 => Just(1_000_000_000_000)];
    (
        1_u32..4,
        side(),
        distance(),
        quantity,
        kind(),
        self_trade_prevention(),
    )
        .prop_map(
            |(client, side, at, quantity, kind, self_trade_prevention)| Step::Place {
                client,
                side,
                at,
                quantity,
                kind,
                self_trade_prevention,
            },
        )
}

fn mirror() -> impl Strategy<Value = Step> {
    let scope = prop_oneof![
        6 => Just(MirrorScope::Changes),
        1 => Just(MirrorScope::Whole),
    ];
    // Some updates come in the shape of a real book, bids below asks, others in any.
    let shaped = vec((side(), distance(), 0_u64..12), 0..8).prop_map(|mut levels| {
        for (side, at, _) in &mut levels {
            at.0 = match side {
                Side::Buy => -at.0.abs(),
                Side::Sell => at.0.abs() + 1,
            };
        }
        levels
    });
    let any = vec((side(), distance(), 0_u64..12), 0..4);
    (scope, prop_oneof![3 => shaped, 1 => any])
        .prop_map(|(scope, levels)| Step::Mirror(scope, levels))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        24 => place(),
        10 => any::<u16>().prop_map(Step::Cancel),
        4 => any::<(u16, u16)>().prop_map(|(which, to)| Step::Reduce(which, to)),
        10 => mirror(),
        1 => Just(Step::Withdraw),
        2 => (-3_000_i64..3_000).prop_map(Step::Wander),
    ]
}

/// Where the touch begins: in the middle, and so near either end that distances are cut off.
fn touch() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => 40_000_i64..60_000,
        1 => Just(20_i64),
        1 => Just(999_999_999_990_i64),
    ]
}

/// The step as a command, if there is an order for it.
fn command(step: &Step, market: &Market, touch: i64, placed: u32) -> Option<Command> {
    Some(match step {
        Step::Place {
            client,
            side,
            at,
            quantity,
            kind,
            self_trade_prevention,
        } => Command::Place(Placement {
            name: Name::Order(placed),
            client: ClientNumber::new(*client),
            side: *side,
            quantity: lots(*quantity),
            kind: match kind {
                Kind::Market => OrderKind::Market,
                Kind::Limit(time_in_force) => OrderKind::Limit {
                    price: at.from(touch),
                    time_in_force: *time_in_force,
                },
            },
            self_trade_prevention: *self_trade_prevention,
        }),
        Step::Cancel(which) => Command::Cancel(pick(market, *which)?),
        Step::Reduce(which, to) => {
            let name = pick(market, *which)?;
            let remaining = market.real.remaining(name).lots();
            let share = u128::from(remaining) * u128::from(*to) / u128::from(u16::MAX);
            Command::Reduce(name, lots(u64::try_from(share).unwrap().max(1)))
        }
        Step::Mirror(scope, levels) => {
            let levels = levels.iter().map(|(side, at, quantity)| MirrorLevel {
                side: *side,
                price: at.from(touch),
                quantity: lots(*quantity),
            });
            Command::Mirror(*scope, levels.collect())
        }
        Step::Withdraw => Command::Withdraw,
        Step::Wander(_) => return None,
    })
}

fn pick(market: &Market, which: u16) -> Option<Name> {
    let mut names = market.real.open();
    names.retain(|name| matches!(name, Name::Order(_)));
    let index = usize::from(which) * names.len() / (usize::from(u16::MAX) + 1);
    names.get(index).copied()
}

fn run(strays_max: u32, mut touch: i64, steps: &[Step]) {
    let mut market = Market::new(strays_max);
    for (step, placed) in steps.iter().zip(1..) {
        if let Step::Wander(by) = step {
            touch = (touch + by).clamp(1, 1_000_000_000_000);
        } else if let Some(command) = command(step, &market, touch, placed) {
            market.apply(&command);
        }
    }
    market.assert_copy();
}

/// `SHARDBOOK_TEST_SEED` and `SHARDBOOK_TEST_CASES` look elsewhere and longer.
fn number_from_environment(name: &str, default: u32) -> u32 {
    std::env::var(name).map_or(default, |number| number.parse().expect("a number"))
}

#[test]
fn a_naive_book_agrees_on_every_event_and_every_ladder() {
    let seed = number_from_environment("SHARDBOOK_TEST_SEED", 1);
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: number_from_environment("SHARDBOOK_TEST_CASES", 64),
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let cases = (1_u32..6, touch(), vec(step(), 1..250));
    let result = TestRunner::new_with_rng(config, rng).run(&cases, |(strays_max, touch, steps)| {
        run(strays_max, touch, &steps);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("seed {seed}: {failure}");
    }
}
