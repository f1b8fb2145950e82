//! Databases that are another exchange's, or that the journal can't go on from.

use super::*;

#[tokio::test]
async fn another_exchanges_database_is_never_written_to() {
    for place in Place::both() {
        let mut exchange = Exchange::new(10);
        exchange.happen(50);
        let database = place.open().await;
        exchange.project(&database).await;
        let ours = Uuid::from_u128(8);
        let (mut stranger, handle) = Projector::new(ProjectorSetup {
            database: database.clone(),
            exchange: ours,
            logs: vec![exchange.journals[0].log(0), exchange.journals[1].log(1)],
            checkpoints: Vec::new(),
            retention: Retention::default(),
            clock: Arc::new(SystemClock),
            instruments: Arc::<Heads>::clone(&exchange.heads),
            limits: limits(1_000),
            on_refused: OnRefused::LeaveAlone,
        });
        let error = stranger.admit().await.unwrap_err();
        let expected = RefusedDatabase::ForeignExchange {
            found: EXCHANGE.to_string(),
            ours,
        };
        assert!(matches!(error, ProjectorError::Refused(refused) if refused == expected));
        exchange.happen(50);
        stranger.run(async {}).await;
        assert_ne!(handle.database(), DatabaseState::Up);
        // Had the stranger written anything, this would not find what it left.
        exchange.project(&database).await;
        exchange.assert_projected(&database).await;
    }
}

/// Makes the database `exchange`'s, as if it had been taken away and another put in its place.
async fn hand_over(database: &Database, from: Uuid, to: Uuid) {
    let sql = format!("UPDATE exchange SET exchange_id = '{to}' WHERE exchange_id = '{from}'");
    let transaction = database.begin().await.unwrap();
    transaction.execute_unprepared(&sql).await.unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn a_database_that_becomes_anothers_is_not_written_to_from_then_on() {
    for place in Place::both() {
        let mut exchange = Exchange::new(14);
        exchange.happen(50);
        let (database, stranger) = (place.open().await, Uuid::from_u128(8));
        // Told to start over, which holds for the database that is taken up first alone.
        let (projector, mut handle) = exchange.starting_over(&database, EXCHANGE);
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(projector.run(async {
            let _ = stopped.await;
        }));
        caught_up(&exchange, &mut handle).await;
        let before = order::Entity::find().all(database.reader()).await.unwrap();

        hand_over(&database, EXCHANGE, stranger).await;
        exchange.happen(50);
        let refused = |status: &ProjectorStatus| {
            let state = &status.database;
            matches!(state, DatabaseState::Down { reason } if reason.contains("belongs to exchange"))
        };
        handle.wait_until(refused).await;
        let after = order::Entity::find().all(database.reader()).await.unwrap();
        assert_eq!(after, before);

        hand_over(&database, stranger, EXCHANGE).await;
        caught_up(&exchange, &mut handle).await;
        exchange.assert_projected(&database).await;
        stop.send(()).unwrap();
        running.await.unwrap();
    }
}

#[tokio::test]
async fn a_database_is_started_over_if_that_is_asked_for_and_the_journal_holds_everything() {
    for place in Place::both() {
        let mut exchange = Exchange::new(15);
        exchange.happen(100);
        let (database, ours) = (place.open().await, Uuid::from_u128(8));
        exchange.project(&database).await;

        // A stranger of whose journal the beginning is gone takes nothing away.
        let mut trimmed = Exchange::new(16);
        trimmed.happen(80);
        trimmed.journals[0].lose_oldest(2);
        let error = trimmed.starting_over(&database, ours).0.admit().await;
        assert!(matches!(
            error,
            Err(ProjectorError::Refused(RefusedDatabase::BeginningMissing { partition: 0, oldest }))
                if oldest.get() == 3
        ));
        exchange.assert_projected(&database).await;

        // One with everything leaves only its own.
        let mut other = Exchange::new(16);
        other.happen(80);
        other.starting_over(&database, ours).0.run(async {}).await;
        other.assert_projected(&database).await;

        // Its own database it goes on with, though still told to start over.
        other.happen(80);
        other.starting_over(&database, ours).0.run(async {}).await;
        other.assert_projected(&database).await;
    }
}

#[tokio::test]
async fn a_database_that_the_journal_cannot_go_on_from_is_never_written_to() {
    for place in Place::both() {
        let mut exchange = Exchange::new(11);
        exchange.happen(100);
        let database = place.open().await;

        // Nothing is projected yet, and the journal begins later.
        let range = exchange.journals[0].log(0).source.range();
        exchange.journals[0].lose_oldest(2);
        let error = exchange
            .projector(&database, limits(9))
            .0
            .admit()
            .await
            .unwrap_err();
        let ProjectorError::Refused(RefusedDatabase::OutsideJournal { oldest, newest, .. }) = error
        else {
            panic!("{error}");
        };
        assert_eq!((oldest.get(), newest), (3, range.newest));

        // The database is ahead of a journal that was lost.
        let mut exchange = Exchange::new(11);
        exchange.happen(100);
        exchange.project(&database).await;
        let lost = Exchange::new(11);
        let error = lost
            .projector(&database, limits(9))
            .0
            .admit()
            .await
            .unwrap_err();
        assert!(matches!(
            error,
            ProjectorError::Refused(RefusedDatabase::OutsideJournal { .. })
        ));
    }
}
