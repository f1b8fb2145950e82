//! PostgreSQL away in every way it can be, under load: no order is refused or made to wait, what
//! memory has is read, and in the end the tables hold each order and trade once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::tables::{health, is_caught_up, judge};
use super::{Known, Log, Place, Postgres, Random, an_order, get};

const CLIENTS: usize = 4;

/// Between two orders of a client: a load that goes on for as long as an outage does, and whose
/// orders can all be looked at afterwards.
const PACE: Duration = Duration::from_millis(20);

/// How long PostgreSQL is down in the test that says so, unless [`SECONDS_VARIABLE`] says it.
const SECONDS_DOWN: usize = 10;
const SECONDS_VARIABLE: &str = "SHARDBOOK_OUTAGE_SECONDS";

/// Clients that place orders until they are told to stop.
struct Load {
    base: String,
    log: Arc<Log>,
    running: Arc<AtomicBool>,
    /// How long each order took to be answered, in the order of the answers.
    times: Arc<Mutex<Vec<Duration>>>,
    acknowledged: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(base: &str, log: &Arc<Log>, name: &str) -> Self {
        let mut load = Self {
            base: base.to_owned(),
            log: Arc::clone(log),
            running: Arc::new(AtomicBool::new(true)),
            times: Arc::default(),
            acknowledged: Arc::default(),
            clients: Vec::new(),
        };
        for client in 0..CLIENTS {
            let task = load.client(client, format!("{name}-c{client}"));
            load.clients.push(tokio::spawn(task));
        }
        load
    }

    fn client(&self, client: usize, name: String) -> impl Future<Output = ()> + use<> {
        let (base, log) = (self.base.clone(), Arc::clone(&self.log));
        let running = Arc::clone(&self.running);
        let acknowledged = Arc::clone(&self.acknowledged);
        let times = Arc::clone(&self.times);
        async move {
            let http = reqwest::Client::new();
            let mut random = Random::seeded(u64::try_from(client).unwrap());
            let mut pace = tokio::time::interval(PACE);
            for number in 0.. {
                pace.tick().await;
                if !running.load(Ordering::Relaxed) {
                    return;
                }
                let id = format!("{name}-{number}");
                let order = an_order(&mut random, &id, client);
                log.lock().insert(id.clone(), Known::Sent(order.clone()));
                let request = http.post(format!("{base}/orders")).json(&order);
                let sent = Instant::now();
                let response = request.send().await.unwrap();
                let status = response.status();
                let answer: Value = response.json().await.unwrap();
                times.lock().push(sent.elapsed());
                assert_eq!(status, 201, "no order is refused: {answer}");
                let (read, _) = get(&http, format!("{base}/orders/{id}")).await;
                assert_eq!(read, 200, "what memory has can be read");
                log.lock().insert(id, Known::Acknowledged(answer));
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Waits until `/healthz` tells of a database that is away, for some reason, and gets further
    /// behind.
    async fn falls_behind(&self, reason: &str) {
        let is_down = |health: &Value| {
            health["status"] == "degraded" && health["database"]["status"] == "down"
        };
        let down = health(&self.base, reason, |health| {
            let told = health["database"]["reason"].as_str().unwrap_or("");
            is_down(health) && told.contains(reason)
        });
        down.await;
        self.lags(is_down).await;
    }

    /// Waits until the lag grows, in records and in seconds, while all else is as it `is_so`: orders
    /// are acknowledged while the database is away, so none of them waits for it.
    async fn lags(&self, is_so: impl Fn(&Value) -> bool) {
        let lag = |health: &Value| health["database"]["lag_records"].as_u64().unwrap_or(0);
        let grown = |from| {
            health(&self.base, "a growing lag", move |health| {
                lag(health) >= from + 20
            })
        };
        let first = lag(&grown(0).await);
        let later = grown(first).await;
        assert!(is_so(&later), "{later}");
        let aged = |health: &Value| health["database"]["lag_seconds"].as_u64() >= Some(1);
        health(&self.base, "a lag of seconds", aged).await;
    }

    /// Lets so many seconds' orders be acknowledged, and says how long they took: the median, the
    /// slowest of a hundred, the slowest.
    async fn goes_on(&self, seconds: usize) -> String {
        let begun = self.times.lock().len();
        let enough = begun + seconds * CLIENTS * 1_000 / usize::try_from(PACE.as_millis()).unwrap();
        let mut pace = tokio::time::interval(PACE);
        while self.times.lock().len() < enough {
            assert!(!self.clients.iter().any(JoinHandle::is_finished));
            pace.tick().await;
        }
        let mut times = self.times.lock()[begun..].to_vec();
        times.sort_unstable();
        let [median, hundredth, slowest] =
            [50, 99, 100].map(|percent| times[(times.len() - 1) * percent / 100]);
        format!(
            "{:>6} orders {median:>12.3?} {hundredth:>12.3?} {slowest:>12.3?}",
            times.len()
        )
    }

    async fn catches_up(&self) {
        health(&self.base, "a database that is up", |health| {
            health["status"] == "ok" && health["database"]["reason"] == Value::Null
        })
        .await;
    }

    /// Ends the load once it was one.
    async fn end(self) {
        let acknowledged = || self.acknowledged.load(Ordering::Relaxed);
        while acknowledged() < 100 && !self.clients.iter().any(JoinHandle::is_finished) {
            tokio::task::yield_now().await;
        }
        assert!(acknowledged() >= 100, "a client gave up");
        self.running.store(false, Ordering::Relaxed);
        for client in self.clients {
            client.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_becomes_of_postgresql_no_order_waits_for_it_and_the_tables_come_to_be_right() {
    let postgres = Postgres::stopped();
    let place = Place::on(postgres.default_database());
    let log = Arc::new(Log::default());

    // The exchange starts without its database.
    let server = place.serve();
    let load = Load::start(&server.base, &log, "first");
    let absent = health(&server.base, "a database that is away", |health| {
        health["status"] == "degraded" && health["database"]["reason"] != Value::Null
    });
    let absent = absent.await;
    assert_eq!(absent["database"]["lag_records"], Value::Null, "{absent}");
    postgres.resume();
    load.catches_up().await;

    // It crashes, comes back as one that refuses, and is restarted.
    postgres.stop();
    postgres.refuse();
    load.falls_behind("rejects").await;
    postgres.stop();
    postgres.accept();
    load.catches_up().await;

    // It hangs.
    postgres.freeze();
    load.lags(|_| true).await;
    let hanging = |health: &Value| {
        let told = health["database"]["reason"].as_str().unwrap_or("");
        health["status"] == "degraded"
            && health["database"]["status"] == "up"
            && told.contains("no answer for")
    };
    let what = "a database that is told of before it is given up";
    health(&server.base, what, hanging).await;
    postgres.thaw();
    load.catches_up().await;
    load.end().await;
    judge(&place, &server.base, &log).await;

    // The exchange is killed while the database is away, and starts again without it.
    let load = Load::start(&server.base, &log, "second");
    postgres.stop();
    load.lags(|_| true).await;
    load.end().await;
    server.kill();
    let server = place.serve();
    let load = Load::start(&server.base, &log, "third");
    postgres.resume();
    load.catches_up().await;
    load.end().await;
    health(&server.base, "no lag", is_caught_up).await;
    judge(&place, &server.base, &log).await;
    assert_eq!(server.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_order_whose_trades_only_the_database_has_is_not_shown_without_them() {
    let postgres = Postgres::start();
    let place = Place::on(postgres.default_database());
    let server = place.serve_with(&["--trades-in-memory=1"]);
    let http = reqwest::Client::new();
    let order_url = |id: &str| format!("{}/orders/{id}", server.base);
    let placed = async |id: &str, side: &str, quantity: &str| {
        let order = json!({
            "order_id": id, "client_id": id, "instrument": "BTC-USD", "side": side,
            "type": "limit", "price": 100, "quantity": quantity,
        });
        let sent = http.post(format!("{}/orders", server.base)).json(&order);
        assert_eq!(sent.send().await.unwrap().status(), 201);
    };
    placed("maker", "sell", "5").await;
    for taker in ["first", "second"] {
        placed(taker, "buy", "1").await;
    }
    health(&server.base, "no lag", is_caught_up).await;
    postgres.stop();
    let is_down = |health: &Value| health["database"]["status"] == "down";
    health(&server.base, "a database that is away", is_down).await;

    let read = async |id: &str| {
        let response = http.get(order_url(id)).send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json::<Value>().await.unwrap())
    };
    let (status, problem) = read("first").await;
    assert_eq!(
        (status, &problem["code"]),
        (503, &json!("database_unavailable"))
    );
    // The newest trade is at hand, and so are those of an open order.
    for (id, trades) in [("second", 1), ("maker", 2)] {
        let (status, order) = read(id).await;
        assert_eq!(status, 200, "{id}: {order}");
        assert_eq!(order["trades"].as_array().unwrap().len(), trades, "{order}");
    }
    let cancel = http.post(order_url("first/cancel")).send().await.unwrap();
    assert_eq!(cancel.status(), 409, "an answer without trades needs none");

    postgres.resume();
    let (status, order) = get(&http, order_url("first")).await;
    assert_eq!(
        (status, &order["trades"][0]["trade_id"]),
        (200, &json!("BTC-USD-1"))
    );
    assert_eq!(server.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_is_down_under_load_and_no_order_is_refused_or_lost() {
    let given = std::env::var(SECONDS_VARIABLE).ok();
    let seconds = given.map_or(SECONDS_DOWN, |given| given.parse().expect("seconds"));
    let postgres = Postgres::start();
    let place = Place::on(postgres.default_database());
    let log = Arc::new(Log::default());
    let server = place.serve();
    let load = Load::start(&server.base, &log, "load");
    load.catches_up().await;
    let before = load.goes_on(2).await;
    postgres.stop();
    let down = load.goes_on(seconds).await;
    let is_down = |health: &Value| health["database"]["status"] == "down";
    let away = health(&server.base, "a database that is away", is_down).await;
    let lag = away["database"]["lag_records"].as_u64().unwrap();
    assert!(lag >= u64::try_from(seconds).unwrap() * 100, "{away}");
    postgres.resume();
    load.catches_up().await;
    let after = load.goes_on(2).await;
    load.end().await;
    // Seen with `--nocapture`.
    eprintln!("PostgreSQL down for {seconds} s, {lag} records behind in the end; answered within");
    eprintln!("                           half of all    99 of 100          all");
    for (when, times) in [("before", before), ("down", down), ("after", after)] {
        eprintln!("{when:>7} {times}");
    }
    judge(&place, &server.base, &log).await;
    assert_eq!(server.terminate(), Some(0));
}
