//! Consumers of an instrument that is folded, published and read in every order.

mod client;
mod fake;

use proptest::prelude::*;
use shardbook_engine::id::Sequence;

use super::*;
use crate::stream::channel::SharedChannels;

pub(crate) use self::fake::Fake;

use self::client::Client;
use self::fake::{Step, a_step};

const ALL: [Channel; 3] = Channel::ALL;

fn wanted(channels: &[Channel], pace: Pace) -> Wanted {
    let channels = channels.iter().copied().collect();
    Wanted {
        channels: Arc::new(SharedChannels::new(channels)),
        pace,
        orders_of: OrdersOf::Everyone,
    }
}

/// Reads until nothing more is to be sent at `now`.
fn drain(subscription: &mut Subscription, client: &mut Client, now: Instant) {
    let instrument = Arc::clone(subscription.instrument());
    let mut idle = 0;
    while idle < 3 {
        subscription.advance(now);
        idle = if subscription.waiting.is_empty() {
            idle + 1
        } else {
            0
        };
        client.take(std::mem::take(&mut subscription.waiting), &instrument);
    }
}

fn turn(subscription: &mut Subscription, client: &mut Client, now: Instant) {
    let instrument = Arc::clone(subscription.instrument());
    subscription.advance(now);
    client.take(std::mem::take(&mut subscription.waiting), &instrument);
}

fn delta_step(ticks: u8, lots: u8) -> Step {
    (true, true, vec![(true, ticks, lots)])
}

#[derive(Clone, Debug)]
enum Act {
    Fold(Step),
    Publish(usize),
    Read,
    Wait(u64),
}

fn an_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => a_step().prop_map(Act::Fold),
        4 => (1..9_usize).prop_map(Act::Publish),
        2 => Just(Act::Read),
        2 => (1..700_u64).prop_map(Act::Wait),
    ]
}

proptest! {
    #[test]
    fn whatever_the_order_of_folding_publishing_and_reading_the_book_is_followed_and_losses_are_told(
        before in prop::collection::vec(an_act(), 0..20),
        after in prop::collection::vec(an_act(), 1..60),
        interval in prop_oneof![Just(None), (1..900_u64).prop_map(Some)],
    ) {
        let (hub, fake) = (StreamHub::new(7), Fake::new());
        for act in before {
            match act {
                Act::Fold(step) => fake.fold(&step),
                Act::Publish(records) => fake.publish(&hub, records),
                Act::Read | Act::Wait(_) => {}
            }
        }
        let pace = interval.map_or(Pace::EachDelta, |interval| Pace::Every(Duration::from_millis(interval)));
        let folded_before = fake.state.lock().sequence;
        let mut subscription = Subscription::begin(&hub, hub.seat().unwrap(), fake.clone(), wanted(&ALL, pace));
        let mut client = Client::default();
        let mut now = Instant::now();
        let mut happened = (0, 0);
        for act in after {
            match act {
                Act::Fold(step) => {
                    happened.0 += u64::from(step.0);
                    happened.1 += u64::from(step.1);
                    fake.fold(&step);
                }
                Act::Publish(records) => fake.publish(&hub, records),
                Act::Read => turn(&mut subscription, &mut client, now),
                Act::Wait(milliseconds) => now += Duration::from_millis(milliseconds),
            }
        }
        fake.publish(&hub, usize::MAX);
        // The snapshot for what was missed, and then the deltas held back behind it.
        for _ in 0..3 {
            drain(&mut subscription, &mut client, now);
            now += SNAPSHOT_INTERVAL;
        }
        client.assert_has_the_book_of(&fake);
        let missed = |channel: &str| client.missed.get(channel).copied().unwrap_or(Some(0)).unwrap();
        // What was folded before and not yet published then may count as missed, never the other way.
        let all_trades = client.trades + missed("trades");
        let all_orders = client.orders + missed("orders");
        prop_assert!(all_trades >= happened.0 && all_orders >= happened.1);
        if folded_before == 0 {
            prop_assert_eq!((all_trades, all_orders), happened);
        }
    }

    #[test]
    fn a_reader_resumes_behind_every_event_held_without_loss_or_repetition(
        steps in prop::collection::vec(a_step(), 1..30),
        kept in 3..40_usize,
    ) {
        let (hub, fake) = (StreamHub::new(kept), Fake::new());
        let mut all = Subscription::begin(&hub, hub.seat().unwrap(), fake.clone(), wanted(&ALL, Pace::EachDelta));
        let mut frames = Vec::new();
        let now = Instant::now();
        for step in &steps {
            fake.fold(step);
            fake.publish(&hub, 1);
            all.advance(now);
            frames.append(&mut all.waiting);
        }
        let events: Vec<_> = frames
            .iter()
            .filter_map(|frame| match frame {
                Frame::Event { event, .. } => Some(event.id()),
                Frame::Own { .. } => None,
            })
            .collect();
        for (skipped, id) in (1..).zip(events.iter().copied()) {
            let mut resumed = Subscription::resume(&hub, hub.seat().unwrap(), fake.clone(), wanted(&ALL, Pace::EachDelta), id);
            let mut client = Client { sequence: Some(0), ..Client::default() };
            client.last_id = Some(id);
            let is_held = events.len() - skipped <= kept;
            if is_held {
                // Whoever resumes has the book as of there; here only the ids count.
                let mut waiting = Vec::new();
                resumed.advance(now);
                waiting.append(&mut resumed.waiting);
                let got: Vec<_> = waiting.iter().map(|frame| match frame {
                    Frame::Event { event, resume } => { assert_eq!(*resume, Resume::Behind); event.id() }
                    Frame::Own { .. } => panic!("nothing was lost"),
                }).collect();
                prop_assert_eq!(&got[..], &events[skipped..]);
            } else {
                drain(&mut resumed, &mut client, now);
                prop_assert_eq!(client.missed.len(), 3);
                prop_assert!(client.missed.values().all(Option::is_none));
                client.assert_has_the_book_of(&fake);
            }
        }
    }
}

#[test]
fn an_id_above_the_head_gets_a_gap_and_a_snapshot() {
    let (hub, fake) = (StreamHub::new(10), Fake::new());
    fake.fold(&delta_step(1, 1));
    fake.publish(&hub, 1);
    let id = ChangeId {
        sequence: Sequence::new(2),
        index: 0,
    };
    let mut resumed = Subscription::resume(
        &hub,
        hub.seat().unwrap(),
        fake.clone(),
        wanted(&ALL, Pace::EachDelta),
        id,
    );
    let mut client = Client::default();
    drain(&mut resumed, &mut client, Instant::now());
    assert_eq!((client.missed.len(), client.snapshots), (3, 1));
    client.assert_has_the_book_of(&fake);
    assert_eq!(hub.gaps(), 3);
}

#[test]
fn what_a_ring_that_began_late_never_had_counts_as_let_go() {
    let (hub, fake) = (StreamHub::new(10), Fake::new());
    fake.fold(&delta_step(1, 1));
    fake.state.lock().unpublished.clear();
    fake.fold(&delta_step(2, 1));
    fake.publish(&hub, 1);
    let ring = hub.ring(fake.instrument.id);
    let id = |sequence, index| ChangeId {
        sequence: Sequence::new(sequence),
        index,
    };
    assert_eq!(ring.find(id(1, 2)), Place::LetGo);
    assert!(matches!(ring.find(id(2, 1)), Place::Held(_)));
}

#[test]
fn one_who_keeps_falling_behind_gets_at_most_one_snapshot_a_second() {
    let (hub, fake) = (StreamHub::new(5), Fake::new());
    let mut subscription = Subscription::begin(
        &hub,
        hub.seat().unwrap(),
        fake.clone(),
        wanted(&ALL, Pace::EachDelta),
    );
    let mut client = Client::default();
    let start = Instant::now();
    drain(&mut subscription, &mut client, start);
    // Ten seconds of falling off the ring ten times a second.
    for tenth in 1..=100 {
        for step in 0..10 {
            fake.fold(&delta_step(step % 5 + 1, step % 3 + 1));
        }
        fake.publish(&hub, usize::MAX);
        drain(
            &mut subscription,
            &mut client,
            start + Duration::from_millis(100 * tenth),
        );
        if client.sequence.is_some() {
            client.assert_has_the_book_of(&fake);
        }
    }
    assert!(
        (10..=12).contains(&client.snapshots),
        "{}",
        client.snapshots
    );
}

#[test]
fn deltas_of_an_interval_come_as_one_and_only_those_that_count() {
    let (hub, fake) = (StreamHub::new(1_000), Fake::new());
    let pace = Pace::Every(Duration::from_millis(100));
    let deltas = [Channel::OrderbookDeltas];
    let mut subscription = Subscription::begin(
        &hub,
        hub.seat().unwrap(),
        fake.clone(),
        wanted(&deltas, pace),
    );
    let mut client = Client::default();
    let start = Instant::now();
    for millisecond in 0..1_000 {
        fake.fold(&delta_step(1, u8::from(millisecond % 2 == 0)));
        fake.publish(&hub, 1);
        turn(
            &mut subscription,
            &mut client,
            start + Duration::from_millis(millisecond),
        );
    }
    drain(
        &mut subscription,
        &mut client,
        start + Duration::from_secs(2),
    );
    client.assert_has_the_book_of(&fake);
    assert!((9..=11).contains(&client.deltas), "{}", client.deltas);
    assert_eq!((client.trades, client.orders), (0, 0));
}

#[tokio::test]
async fn a_waiting_reader_wakes_for_what_is_published() {
    let (hub, fake) = (StreamHub::new(10), Fake::new());
    let trades = [Channel::Trades];
    let mut subscription = Subscription::begin(
        &hub,
        hub.seat().unwrap(),
        fake.clone(),
        wanted(&trades, Pace::EachDelta),
    );
    let mut frames = Vec::new();
    let reading = async { subscription.next(&mut frames).await };
    let publishing = async {
        tokio::task::yield_now().await;
        fake.fold(&delta_step(1, 1));
        fake.publish(&hub, 1);
    };
    tokio::join!(reading, publishing);
    assert_eq!(frames.len(), 1);
    assert_eq!(hub.subscribers(), 1);
    drop(subscription);
    assert_eq!(hub.subscribers(), 0);
}

#[tokio::test(start_paused = true)]
async fn where_there_are_many_a_reader_waits_for_its_turn_and_takes_all_that_gathered() {
    let (hub, fake) = (StreamHub::new(10), Fake::new());
    let mut seats = hub.seats(10_000).unwrap();
    // One whose turn is not soon, so that there is time for more to happen.
    let far = Instant::now() + Duration::from_millis(250);
    let at = |seat: &Seat| seat.next_turn(Instant::now()).unwrap();
    let chosen = seats.iter().position(|seat| at(seat) > far).unwrap();
    let seat = seats.swap_remove(chosen);
    let turn = at(&seat);
    let wanted = wanted(&[Channel::Trades], Pace::EachDelta);
    let mut subscription = Subscription::begin(&hub, seat, fake.clone(), wanted);
    let mut frames = Vec::new();
    let reading = async {
        subscription.next(&mut frames).await;
        Instant::now()
    };
    let publishing = async {
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            fake.fold(&delta_step(1, 1));
            fake.publish(&hub, 1);
        }
    };
    let (read, ()) = tokio::join!(reading, publishing);
    assert!(read >= turn, "read before its turn");
    assert_eq!(frames.len(), 2);
}
