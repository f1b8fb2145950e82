use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use super::*;

/// An exchange that answers everything with `status`, one request after another over all its
/// connections, and holds the `stall_at`-th up for `stall`.
struct StandIn {
    status: u16,
    stall_at: u64,
    stall: Duration,
}

impl StandIn {
    fn listen(self) -> Target {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap().to_string().parse().unwrap();
        let turn = Arc::new(std::sync::Mutex::new(0));
        std::thread::spawn(move || {
            let exchange = Arc::new(self);
            for stream in listener.incoming() {
                let (exchange, turn) = (Arc::clone(&exchange), Arc::clone(&turn));
                std::thread::spawn(move || exchange.answer(stream.unwrap(), &turn));
            }
        });
        target
    }

    fn answer(&self, mut stream: TcpStream, turn: &std::sync::Mutex<u64>) {
        let mut requests = BufReader::new(stream.try_clone().unwrap());
        while let Some(length) = head(&mut requests) {
            let mut body = vec![0; length];
            requests.read_exact(&mut body).unwrap();
            let mut count = turn.lock().unwrap();
            *count += 1;
            if *count == self.stall_at {
                std::thread::sleep(self.stall);
            }
            drop(count);
            let answer = format!(
                "HTTP/1.1 {} X\r\ncontent-length: 2\r\n\r\n{{}}",
                self.status
            );
            stream.write_all(answer.as_bytes()).unwrap();
        }
    }
}

/// Reads a request's head, and tells its body's length; `None` at the connection's end.
fn head(requests: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if requests.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        if line == "\r\n" {
            return Some(length);
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
    }
}

async fn summary_of(stand_in: StandIn, rate: u32, orders: usize) -> Summary {
    run(Load {
        orders: vec![Bytes::from_static(b"{}"); orders],
        target: stand_in.listen(),
        rate: NonZeroU32::new(rate).unwrap(),
        seconds: NonZeroU32::new(60).unwrap(),
        connections: NonZeroU32::new(4).unwrap(),
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_order_is_sent_once_and_its_answer_counted() {
    let stand_in = StandIn {
        status: 201,
        stall_at: 0,
        stall: Duration::ZERO,
    };
    let summary = summary_of(stand_in, 10_000, 500).await;
    assert!(summary.all_answered(), "{summary}");
    assert!(
        summary
            .to_string()
            .starts_with("500 of 500 orders answered"),
        "{summary}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stall_shows_in_every_order_that_was_due_meanwhile() {
    // 300 orders are due while the exchange stands still, and only 4 of them are in flight.
    let stall = Duration::from_millis(300);
    let stand_in = StandIn {
        status: 201,
        stall_at: 100,
        stall,
    };
    let summary = summary_of(stand_in, 1_000, 500).await;
    assert!(summary.percentile(100.0) >= stall, "{summary}");
    assert!(summary.percentile(70.0) >= stall / 3, "{summary}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_of_the_server_is_no_success() {
    let stand_in = StandIn {
        status: 503,
        stall_at: 0,
        stall: Duration::ZERO,
    };
    let summary = summary_of(stand_in, 10_000, 10).await;
    assert!(!summary.all_answered(), "{summary}");
    assert!(summary.to_string().contains("status 503: 10"), "{summary}");
}
