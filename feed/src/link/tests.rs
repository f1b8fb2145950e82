use tokio::net::TcpListener;

use super::*;

#[test]
fn many_streams_are_asked_for_in_few_small_requests_and_more_once_they_come() {
    let names = |from: usize, to: usize| -> Vec<String> {
        (from..to).map(|n| format!("s{n}@trade")).collect()
    };
    let (sender, streams) = watch::channel(names(0, 250));
    let mut requests = Requests::new(streams);
    let address = requests.address("ws://host");
    assert!(address.starts_with("ws://host/stream?streams=s0@trade/s1@trade/"));
    assert!(address.ends_with("/s49@trade"), "{address}");
    let asked: Vec<String> = std::iter::from_fn(|| requests.next()).collect();
    assert_eq!(asked.len(), 3);
    assert!(asked[0].starts_with(r#"{"id":1,"method":"SUBSCRIBE","params":["s0@trade","#));
    assert!(asked[2].contains(r#""id":3"#));
    assert!(asked[2].contains(r#""s249@trade""#) && !asked[2].contains(r#""s199@trade""#));
    requests.answered = 2;
    assert!(!requests.all_answered());
    requests.answered = 3;
    assert!(requests.all_answered() && !requests.any());
    sender.send_modify(|streams| streams.extend(names(250, 251)));
    assert!(requests.any() && !requests.all_answered());
    assert_eq!(
        requests.next().unwrap(),
        r#"{"id":4,"method":"SUBSCRIBE","params":["s250@trade"]}"#
    );
}

/// What a frame comes to, in a word.
fn said(frame: Frame) -> String {
    match read(frame) {
        Ok(LinkEvent::Heard {
            signal: Signal::Bad(reason, _),
            ..
        }) => reason.to_string(),
        Ok(LinkEvent::Heard { signal, .. }) => format!("{signal:?}"),
        Ok(LinkEvent::ShuttingDown) => String::from("shutting down"),
        Ok(other) => panic!("{other:?}"),
        Err(ended) => ended.to_string(),
    }
}

#[test]
fn frames_become_signals_and_only_ends_end() {
    let text = |text: &'static str| Frame::Text(Utf8Bytes::from_static(text));
    let cases = [
        (Frame::Ping("1".into()), "Alive"),
        (text(r#"{"result":null,"id":1}"#), "Answered"),
        (text(r#"{"code":2,"msg":"Invalid request"}"#), "Answered"),
        (text("garbage"), "bad_message"),
        (text(r#"{"e":"trade"}"#), "bad_message"),
        (Frame::Binary("x".into()), "bad_message"),
        (text(r#"{"e":"somethingNew"}"#), "Message(Unknown)"),
        (
            text(r#"{"stream":"!serverShutdown","data":{}}"#),
            "shutting down",
        ),
        (text(r#"{"e":"serverShutdown","E":1}"#), "shutting down"),
        (Frame::Close(None), "the server closed the connection"),
    ];
    for (frame, expected) in cases {
        assert_eq!(said(frame.clone()), expected, "{frame:?}");
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_no_panic() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { drop(listener.accept().await.unwrap()) });
    assert!(connect(&url).await.is_err());
    server.await.unwrap();
}
