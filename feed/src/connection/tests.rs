use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::*;

#[test]
fn many_streams_are_asked_for_in_few_small_requests() {
    let streams: Vec<String> = (0..250).map(|n| format!("s{n}@trade")).collect();
    let requests = subscriptions(&streams);
    assert_eq!(requests.len(), 3);
    assert!(requests[0].contains(r#""id":1"#) && requests[2].contains(r#""id":3"#));
    assert!(requests[0].contains(r#""method":"SUBSCRIBE""#));
    assert!(requests[2].contains(r#""s249@trade""#) && !requests[2].contains(r#""s199@trade""#));
}

#[test]
fn frames_become_signals_and_only_ends_end() {
    let text = |text: &'static str| Frame::Text(Utf8Bytes::from_static(text));
    let alive = [
        Frame::Ping("1".into()),
        text(r#"{"result":null,"id":1}"#),
        text(r#"{"code":2,"msg":"Invalid request"}"#),
    ];
    for frame in alive {
        assert_eq!(read(frame).unwrap(), Signal::Alive);
    }
    for frame in [
        text("garbage"),
        text(r#"{"e":"trade"}"#),
        Frame::Binary("x".into()),
    ] {
        assert!(matches!(
            read(frame).unwrap(),
            Signal::Bad(SkipReason::BadMessage, _)
        ));
    }
    assert_eq!(
        read(text(r#"{"e":"somethingNew"}"#)).unwrap(),
        Signal::Message(Message::Unknown)
    );
    assert!(matches!(
        read(text(r#"{"stream":"!serverShutdown","data":{}}"#)),
        Err(Ended::ServerShutdown)
    ));
    assert!(matches!(read(Frame::Close(None)), Err(Ended::Closed)));
}

/// Serves one connection: takes requests until `streams` are subscribed, pings, sends `texts`.
async fn serve(listener: &TcpListener, texts: &[&'static str]) -> (String, Vec<u8>) {
    let (stream, _) = listener.accept().await.unwrap();
    let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
    let request = socket.next().await.unwrap().unwrap();
    let request = request.into_text().unwrap().to_string();
    socket.send(Frame::Ping("1722".into())).await.unwrap();
    let pong = socket.next().await.unwrap().unwrap();
    assert!(pong.is_pong());
    let pong = pong.into_data().to_vec();
    for text in texts {
        socket
            .send(Frame::Text(Utf8Bytes::from_static(text)))
            .await
            .unwrap();
    }
    socket.close(None).await.unwrap();
    (request, pong)
}

#[tokio::test]
async fn a_connection_subscribes_answers_pings_and_comes_back_after_a_close() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let (sender, mut signals) = mpsc::channel(64);
    let client = tokio::spawn(run(url, vec![String::from("btcusdt@trade")], sender));
    for _ in 0..2 {
        let (request, pong) = serve(&listener, &["garbage", r#"{"e":"somethingNew"}"#]).await;
        assert_eq!(
            request,
            r#"{"id":1,"method":"SUBSCRIBE","params":["btcusdt@trade"]}"#
        );
        assert_eq!(pong, b"1722");
        let mut said = Vec::new();
        while said.last() != Some(&Signal::Disconnected) {
            said.push(signals.recv().await.unwrap());
        }
        assert_eq!(said[0], Signal::Connected);
        assert_eq!(said[1], Signal::Alive);
        assert!(matches!(said[2], Signal::Bad(SkipReason::BadMessage, _)));
        assert_eq!(said[3], Signal::Message(Message::Unknown));
        assert_eq!(said.len(), 5);
    }
    drop(signals);
    client.await.unwrap();
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_no_panic() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { drop(listener.accept().await.unwrap()) });
    assert!(connect(&url).await.is_err());
    server.await.unwrap();
}
