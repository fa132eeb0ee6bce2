//! Notices of changes.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

use std::time::{Duration, Instant};

use crate::support::store;
use shipway_store::{Change, Store};

/// The next topic; that anything may have changed is always allowed.
async fn next_topic(changes: &mut shipway_store::Changes) -> String {
    let start = Instant::now();
    loop {
        match changes.next().await {
            Change::Topic(topic) => return topic,
            Change::Everything => {
                assert!(start.elapsed() < Duration::from_secs(20), "no topic came");
            }
        }
    }
}

async fn tell(store: &Store, topics: &[&str], commit: bool) {
    let mut transaction = store.begin().await.unwrap();
    for topic in topics {
        transaction.notify(*topic);
    }
    if commit {
        transaction.commit().await.unwrap();
    }
}

/// Waits until a receiver of a server is connected.
async fn settle(store: &Store, changes: &mut shipway_store::Changes) {
    loop {
        tell(store, &["ready"], true).await;
        let wait = tokio::time::timeout(Duration::from_millis(200), next_topic(changes));
        if wait.await.is_ok() {
            break;
        }
    }
    while tokio::time::timeout(Duration::from_millis(300), next_topic(changes))
        .await
        .is_ok()
    {}
}

#[tokio::test]
async fn what_is_committed_is_told_once_and_in_order() {
    let (_directory, store) = store().await;
    let (mut one, mut two) = (store.changes(), store.changes());
    settle(&store, &mut one).await;
    settle(&store, &mut two).await;
    while tokio::time::timeout(Duration::from_millis(300), next_topic(&mut one))
        .await
        .is_ok()
    {}
    tell(&store, &["lost"], false).await;
    tell(&store, &["queue", "job:1", "queue"], true).await;
    tell(&store, &["job:2"], true).await;
    for changes in [&mut one, &mut two] {
        for expected in ["queue", "job:1", "job:2"] {
            assert_eq!(next_topic(changes).await, expected);
        }
    }
}

#[tokio::test]
async fn without_notices_everything_is_looked_at_every_few_seconds() {
    let (_directory, store) = store().await;
    let mut changes = store.changes();
    let start = Instant::now();
    assert_eq!(changes.next().await, Change::Everything);
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_receiver_that_is_too_slow_looks_at_everything() {
    let (_directory, store) = store().await;
    let mut changes = store.changes();
    settle(&store, &mut changes).await;
    let topics: Vec<String> = (0..3000).map(|number| format!("job:{number}")).collect();
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    tell(&store, &topics, true).await;
    // A server tells it in its own time.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut seen = 0;
    loop {
        match tokio::time::timeout(Duration::from_secs(10), changes.next())
            .await
            .unwrap()
        {
            Change::Everything => break,
            Change::Topic(_) => seen += 1,
        }
    }
    assert!(seen < 3000, "{seen}");
}
