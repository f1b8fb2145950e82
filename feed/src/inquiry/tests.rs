use super::*;

#[tokio::test(start_paused = true)]
async fn no_more_is_spent_than_a_minute_allows() {
    let mut budget = Budget::new(600);
    let start = Instant::now();
    let mut spent_at = Vec::new();
    for _ in 0..50 {
        budget.spend(NEWEST_WEIGHT).await;
        spent_at.push(start.elapsed().as_secs());
    }
    // 24 requests of weight 25 a minute, all at once when they may.
    assert_eq!(spent_at.iter().filter(|at| **at == 0).count(), 24);
    assert_eq!(spent_at.iter().filter(|at| **at == 60).count(), 24);
    assert_eq!(spent_at.iter().filter(|at| **at == 120).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_wants_to_be_left_alone_is() {
    let left_alone = LeftAlone::default();
    let too_many = |seconds| RestError::Status {
        status: 429,
        retry_after: Some(Duration::from_secs(seconds)),
    };
    left_alone.note(&too_many(30));
    left_alone.note(&too_many(10));
    left_alone.note(&RestError::TooLong);
    assert_eq!(left_alone.remaining(), Duration::from_secs(30));
    tokio::time::advance(Duration::from_secs(29)).await;
    assert_eq!(left_alone.clone().remaining(), Duration::from_secs(1));
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(left_alone.remaining(), Duration::ZERO);
}
