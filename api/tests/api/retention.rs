//! What the database lets go of by age, seen through the API.

use sea_orm::{ConnectionTrait, Database};
use serde_json::Value;

use crate::support::TestApp;

/// Orders and trades are asked for from the database alone, as far as memory may.
const NOTHING_KEPT: &str = "closed_orders_in_memory = 0\nsnapshot_interval_seconds = 0";

/// What is summed up of all that ever traded.
async fn sums(app: &TestApp) -> [Value; 2] {
    [
        app.get_projected("/analytics/candles?interval=1m")
            .await
            .body,
        app.get("/positions/alice").await.body,
    ]
}

#[tokio::test]
async fn an_order_beyond_its_retention_is_no_more_and_what_rests_or_is_summed_up_stays() {
    let app = TestApp::start_with(NOTHING_KEPT).await;
    app.placed("alice sells 1 @ 100.00 as old-1").await;
    app.placed("bob buys 1 @ 100.00 as old-2").await;
    // It is old, and rests; who traded with it is gone, their trade is not.
    app.placed("alice sells 2 @ 101.00 as old-resting").await;
    app.placed("bob buys 0.5 @ 101.00 as old-3").await;
    app.placed("carol buys 1 as young").await;
    let before = sums(&app).await;
    assert_ne!(before[0], serde_json::json!([]));
    for id in ["old-1", "old-2", "old-3", "young"] {
        let order = app.get_projected(&format!("/orders/{id}")).await;
        assert_eq!(order.status, 200, "{id}: {}", order.text);
    }
    let trades = app.get("/trades").await.body;
    assert_eq!(trades.as_array().unwrap().len(), 3);
    let database = app.data_dir().join("shardbook.db");
    let directory = app.stop_and_keep().await;

    // As if all but one had been placed long ago.
    let database = Database::connect(format!("sqlite://{}", database.display()));
    let database = database.await.unwrap();
    let sql = "UPDATE orders SET created_at = '2020-01-31T12:00:00.000001Z', \
               updated_at = '2020-01-31T12:00:00.000001Z' WHERE order_id LIKE 'old-%'";
    let aged = database.execute_unprepared(sql).await.unwrap();
    assert_eq!(aged.rows_affected(), 4);
    database.close().await.unwrap();

    let settings = format!("{NOTHING_KEPT}\ndatabase_retention_days = 1");
    let app = TestApp::open(directory, &settings).await;
    for id in ["old-1", "old-2", "old-3"] {
        while app.get_projected(&format!("/orders/{id}")).await.status == 200 {}
        let gone = app.get_projected(&format!("/orders/{id}")).await;
        assert_eq!(gone.problem(), (404, "order_not_found"), "{id}");
    }
    let resting = app.get("/orders/old-resting").await;
    assert_eq!(resting.order().1, "partially_filled");
    assert_eq!(resting.body["trades"].as_array().unwrap().len(), 2);
    let young = app.get_projected("/orders/young").await;
    assert_eq!(young.order().1, "filled");
    assert_eq!(young.body["trades"].as_array().unwrap().len(), 1);
    let listed = app.get_projected("/orders").await.body;
    let listed = listed.as_array().unwrap().iter();
    let ids: Vec<_> = listed
        .map(|order| order["order_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["young", "old-resting"]);
    // What memory holds of the newest trades is shown as ever.
    assert_eq!(app.get("/trades").await.body, trades);
    assert_eq!(sums(&app).await, before);
    // Another may have the id once its window is over; until then it is taken.
    let again = app
        .place("alice sells 1 @ 105.00 as old-1", serde_json::json!({}))
        .await;
    assert_eq!(again.problem(), (409, "duplicate_order_id"));
    app.cancel("old-resting").await;
    let cancelled = app.get_projected("/orders/old-resting").await;
    assert_eq!(cancelled.order().1, "cancelled");
    app.stop().await;
}
