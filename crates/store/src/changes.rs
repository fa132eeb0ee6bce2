//! Notices that something changed, so that nobody has to look all the time.
//!
//! A notice only speeds things up. It may be lost, with a connection or because a receiver is
//! slow, and another process on SQLite sends none to us: whoever waits looks at the rows again
//! when told [`Change::Everything`], which comes after a loss and at every interval.

use std::hash::{BuildHasher, RandomState};
#[cfg(feature = "postgres")]
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::time::{Interval, MissedTickBehavior};

#[cfg(feature = "postgres")]
use crate::engine::Engine;
use crate::store::Store;
use crate::transaction::Transaction;

/// How long a lost notice may go unnoticed.
const INTERVAL: Duration = Duration::from_secs(5);

/// Notices that a slow receiver may be behind.
const CAPACITY: usize = 1024;

/// The channel of PostgreSQL.
#[cfg(feature = "postgres")]
pub(crate) const CHANNEL: &str = "shipway";

/// Something changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// What [`Transaction::notify`] was told.
    Topic(String),
    /// Anything may have changed.
    Everything,
}

/// Sends to all receivers of this store.
#[derive(Debug, Clone)]
pub(crate) struct Changed {
    sender: broadcast::Sender<Change>,
    /// What others are told begins with it, so that nobody is told of what he did himself.
    signature: u64,
}

impl Changed {
    pub(crate) fn new() -> Self {
        Self {
            sender: broadcast::Sender::new(CAPACITY),
            // Random enough: each of these is seeded by the operating system.
            signature: RandomState::new().hash_one(std::process::id()),
        }
    }

    pub(crate) fn send(&self, change: Change) {
        // Nobody listens: fine.
        self.sender.send(change).ok();
    }

    /// A topic as it is told to others.
    pub(crate) fn signed(&self, topic: &str) -> String {
        format!("{:016x} {topic}", self.signature)
    }

    /// The topic that another has told.
    #[cfg(feature = "postgres")]
    fn by_another<'a>(&self, told: &'a str) -> Option<&'a str> {
        let (signature, topic) = told.split_once(' ')?;
        (signature != format!("{:016x}", self.signature)).then_some(topic)
    }
}

/// What is told when a transaction is committed.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    pub(crate) here: Vec<String>,
    pub(crate) elsewhere: Vec<String>,
}

/// The notices from now on, of this process and, on PostgreSQL, of all others.
#[derive(Debug)]
pub struct Changes {
    receiver: broadcast::Receiver<Change>,
    interval: Interval,
    /// It ends with the last who wants to know.
    #[cfg(feature = "postgres")]
    _listener: Arc<OnceLock<Listener>>,
}

/// The task that listens to PostgreSQL.
#[cfg(feature = "postgres")]
#[derive(Debug)]
pub(crate) struct Listener(tokio::task::JoinHandle<()>);

#[cfg(feature = "postgres")]
impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Changes {
    /// The next notice; waits [`Change::Everything`] long at most, which is five seconds.
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Change {
        tokio::select! {
            received = self.receiver.recv() => match received {
                Ok(change) => change,
                // The store is closed, or we were too slow; the first only at the end.
                Err(broadcast::error::RecvError::Lagged(_)) => Change::Everything,
                Err(broadcast::error::RecvError::Closed) => {
                    self.interval.tick().await;
                    Change::Everything
                }
            },
            _ = self.interval.tick() => Change::Everything,
        }
    }
}

impl Store {
    /// The notices from now on. Look at the rows after this call and before waiting: a change
    /// in between is told. To be called in a tokio runtime.
    pub fn changes(&self) -> Changes {
        let receiver = self.changed().sender.subscribe();
        #[cfg(feature = "postgres")]
        if let Engine::Postgres { pool, .. } = self.engine() {
            let start = || Listener(tokio::spawn(forward(pool.clone(), self.changed().clone())));
            self.listener().get_or_init(start);
        }
        let start = tokio::time::Instant::now() + INTERVAL;
        let mut interval = tokio::time::interval_at(start, INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Changes {
            receiver,
            interval,
            #[cfg(feature = "postgres")]
            _listener: self.listener().clone(),
        }
    }
}

/// Hands notices of PostgreSQL on until the pool is closed.
#[cfg(feature = "postgres")]
async fn forward(pool: sqlx::PgPool, changed: Changed) {
    while !pool.is_closed() {
        if let Ok(mut listener) = sqlx::postgres::PgListener::connect_with(&pool).await
            && listener.listen(CHANNEL).await.is_ok()
        {
            // What changed before we listened.
            changed.send(Change::Everything);
            while let Ok(Some(notice)) = listener.try_recv().await {
                if let Some(topic) = changed.by_another(notice.payload()) {
                    changed.send(Change::Topic(topic.to_owned()));
                }
            }
        }
        changed.send(Change::Everything);
        // A server that is away is not asked all the time; the interval covers for it.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

impl Transaction {
    /// Tells all [`Changes`], when this transaction is committed, that something of `topic`
    /// changed: a word or two of the callers' own, at most 7000 bytes.
    pub fn notify(&mut self, topic: impl Into<String>) {
        let topic = topic.into();
        if !self.topics().here.contains(&topic) {
            self.topics().here.push(topic.clone());
        }
        self.notify_others(topic);
    }

    /// As [`Transaction::notify`], but only those of other processes: those of this one learn
    /// of it in another way.
    pub fn notify_others(&mut self, topic: impl Into<String>) {
        let topic = topic.into();
        if !self.topics().elsewhere.contains(&topic) {
            self.topics().elsewhere.push(topic);
        }
    }
}
