//! All misbehaviours in a random mix, by seed.

use serde_json::json;
use shardbook_engine::command::Command;

use crate::rig::{Rig, SYMBOL};
use crate::stand_in::Answer;
use crate::stand_in::market::{BookSide, Taker};

/// Steps of a run.
const STEPS: u64 = 120;

/// Pseudo-random numbers by xorshift (Marsaglia 2003), so that a seed is a scenario.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

fn taker(random: &mut Random) -> Taker {
    if random.below(2) == 0 {
        Taker::Bought
    } else {
        Taker::Sold
    }
}

/// One taker's trades, sometimes of less than a lot, sometimes of more than whole lots.
fn trades(rig: &Rig, random: &mut Random) {
    let taker = taker(random);
    let quantity = |random: &mut Random| match random.below(8) {
        0 => String::from("0.000004"),
        1 => format!("0.0{}7", random.below(90) + 10_000),
        _ => format!("0.{:03}", random.below(40) + 1),
    };
    let first = quantity(random);
    rig.server.trade(SYMBOL, taker, &first);
    for _ in 0..random.below(4) {
        let next = quantity(random);
        let (_, event) = rig
            .server
            .market(SYMBOL, |market| market.fill(taker, &next));
        rig.server.publish("btcusdt@trade", event);
    }
    if random.below(4) == 0 {
        let event = rig.server.market(SYMBOL, |market| market.last_aggregate());
        rig.server.publish("btcusdt@trade", event);
    }
}

/// Some levels change, near the touch and far from it; some that can't be shown.
fn depth(rig: &Rig, random: &mut Random) {
    rig.server.market(SYMBOL, |market| {
        for _ in 0..=random.below(6) {
            let away = random.below(12) + 1;
            let (side, price) = if random.below(2) == 0 {
                (BookSide::Bids, 10_000 - away)
            } else {
                (BookSide::Asks, 10_000 + away)
            };
            let between = if random.below(10) == 0 { "5" } else { "" };
            let price = format!("{}.{:02}{between}", price / 100, price % 100);
            let quantity = match random.below(6) {
                0 | 1 => String::from("0"),
                2 => String::from("0.000003"),
                _ => format!("{}.{:03}", random.below(3), random.below(999) + 1),
            };
            market.set(side, &price, &quantity);
        }
    });
    rig.server.publish_depth(SYMBOL);
}

fn misbehave(rig: &Rig, random: &mut Random) {
    let server = &rig.server;
    match random.below(16) {
        0 => server.cut(),
        1 => server.close(0),
        2 | 3 => server.state().muted = true,
        4 | 5 => server.state().muted = false,
        6 => server.announce_shutdown(),
        7 => {
            server.announce_shutdown();
            server.close(0);
        }
        8 => server.say("garbage"),
        9 => server.say(r#"{"e":"somethingNew","s":"BTCUSDT"}"#),
        10 => server.publish_again(usize::try_from(random.below(20)).unwrap()),
        11 => server.ping(b"ping"),
        12 => {
            let status = [429, 418, 503, 403][usize::try_from(random.below(4)).unwrap()];
            let retry_after = (random.below(2) == 0).then_some(1);
            let answer = Answer::Status(status, retry_after);
            server.state().answers.push_back(answer);
        }
        13 => {
            let stale = json!({"lastUpdateId": 1, "bids": [["99.99", "1"]], "asks": []});
            let answer = Answer::Body("depth", stale.to_string());
            server.state().answers.push_back(answer);
        }
        14 => {
            let newest = usize::try_from(random.below(12)).unwrap();
            server.state().newest_max = Some(newest);
        }
        15 => {
            let command = if random.below(2) == 0 {
                Command::Halt
            } else {
                Command::Resume
            };
            rig.exchange.apply(rig.instrument.id, command);
        }
        _ => unreachable!(),
    }
}

async fn run(seed: u64) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut rig = Rig::live().await;
    for _ in 0..STEPS {
        match random.below(10) {
            0..4 => trades(&rig, &mut random),
            4..7 => depth(&rig, &mut random),
            7 => misbehave(&rig, &mut random),
            _ => {
                // The others get on, more or less.
                for _ in 0..random.below(60) {
                    tokio::task::yield_now().await;
                }
                crate::rig::skip(std::time::Duration::from_millis(random.below(800))).await;
            }
        }
    }
    rig.exchange.apply(rig.instrument.id, Command::Resume);
    rig.server.state().answers.clear();
    rig.quiet().await;
    rig.feed.stop().await;
}

#[tokio::test]
async fn whatever_goes_wrong_each_trade_counts_once_and_the_mirror_comes_back() {
    for seed in 1..=25 {
        // What a failure prints last is its seed.
        println!("seed {seed}");
        run(seed).await;
    }
}
