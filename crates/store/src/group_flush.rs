//! One wait for PostgreSQL's disk for all who committed before it began, and one word to the
//! other processes.
//!
//! PostgreSQL would wait inside of each commit, while the rows stay locked, and those that tell
//! others of changes commit one after the other. It commits without waiting instead, and
//! whoever committed waits here: a transaction that waits is on the disk with all before it.
//!
//! That holds as long as the server lives: one that died in between may have lost what was
//! committed, and its successor would confirm what it has never seen. So there is one
//! connection for this, the *line*. It is open before a transaction begins, it ends with the
//! server, and only the line that was open then can confirm the transaction.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::changes::CHANNEL;
use crate::rounds::Rounds;
use crate::store::BUSY_TIMEOUT;

/// A line on which nothing was said for so long is tried before it is relied upon: it may have
/// been cut by whatever is in between.
const IDLE: Duration = Duration::from_secs(10);

/// A message that nobody reads, for a transaction of nothing has nothing to wait for.
const FLUSH: &str = "WITH told AS (SELECT pg_notify($1, topic) FROM unnest($2::text[]) AS topic) \
    SELECT pg_logical_emit_message(true, $1, ''), (SELECT count(*) FROM told)";

const TELL: &str = "SELECT pg_notify($1, topic) FROM unnest($2::text[]) AS topic";

/// Where commits wait.
#[derive(Debug, Clone)]
pub(crate) struct GroupFlush(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: PgConnectOptions,
    name: PathBuf,
    /// Otherwise the next word is not waited for either.
    durable: bool,
    rounds: Rounds,
    line: tokio::sync::Mutex<Option<PgConnection>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Which line is open.
    open: Option<u64>,
    /// Counts the lines.
    lines: u64,
    /// When it was last heard of.
    heard: Option<Instant>,
    /// What the others are to be told.
    topics: Vec<String>,
}

/// What was committed while this line was open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line(u64);

impl GroupFlush {
    /// `options` are those of a connection that does not wait when it commits.
    pub(crate) fn new(options: PgConnectOptions, name: PathBuf, durable: bool) -> Self {
        let synchronous = if durable { "on" } else { "off" };
        Self(Arc::new(Shared {
            options: options
                .application_name("shipway: disk")
                .options([("synchronous_commit", synchronous)]),
            name,
            durable,
            rounds: Rounds::default(),
            line: tokio::sync::Mutex::default(),
            state: Mutex::default(),
        }))
    }

    /// What messages call the database.
    pub(crate) fn name(&self) -> &Path {
        &self.0.name
    }

    /// The line that is open, for a transaction that is about to begin.
    pub(crate) async fn line(&self) -> sqlx::Result<Line> {
        if let Some(line) = self.fresh() {
            return Ok(line);
        }
        let mut place = self.0.line.lock().await;
        if let Some(line) = self.fresh() {
            return Ok(line);
        }
        if let Some(connection) = place.as_mut()
            && connection.ping().await.is_ok()
        {
            self.state().heard = Some(Instant::now());
        } else {
            self.state().open = None;
            let connecting = PgConnection::connect_with(&self.0.options);
            let connected = tokio::time::timeout(BUSY_TIMEOUT, connecting).await;
            *place = Some(connected.map_err(|_| sqlx::Error::PoolTimedOut)??);
            let mut state = self.state();
            state.lines += 1;
            state.open = Some(state.lines);
            state.heard = Some(Instant::now());
        }
        let state = self.state();
        Ok(Line(state.lines))
    }

    /// The open line, where it was heard of lately.
    fn fresh(&self) -> Option<Line> {
        let state = self.state();
        let heard = state.heard.is_some_and(|at| at.elapsed() < IDLE);
        state.open.filter(|_| heard).map(Line)
    }

    /// Others are told with the next round.
    pub(crate) fn tell(&self, topics: impl IntoIterator<Item = String>) {
        let mut state = self.state();
        for topic in topics {
            if !state.topics.contains(&topic) {
                state.topics.push(topic);
            }
        }
    }

    /// Returns when all that was committed before the call, begun with this line, is on the
    /// disk, and others are told.
    ///
    /// # Errors
    /// When the server ended in between, so that nobody knows.
    pub(crate) async fn wait(&self, line: Line) -> std::io::Result<()> {
        if !self.0.durable && self.state().topics.is_empty() {
            return Ok(());
        }
        // In a task of its own: it is not left half-way when nobody waits any more.
        let flush = async || {
            let group = self.clone();
            let flushed = tokio::spawn(async move { group.flush().await }).await;
            flushed
                .map_err(std::io::Error::other)?
                .map_err(std::io::Error::other)
        };
        let flushed = self.0.rounds.share(flush).await;
        if !self.0.durable {
            // Others find out a little later.
            return Ok(());
        }
        flushed?;
        match self.state().open == Some(line.0) {
            true => Ok(()),
            false => Err(std::io::Error::other("the connection was lost in between")),
        }
    }

    async fn flush(&self) -> sqlx::Result<()> {
        let mut place = self.0.line.lock().await;
        let Some(connection) = place.as_mut() else {
            return Err(sqlx::Error::PoolClosed);
        };
        let topics = std::mem::take(&mut self.state().topics);
        let text = if self.0.durable { FLUSH } else { TELL };
        let flush = sqlx::query(text).bind(CHANNEL).bind(topics);
        let flushed = flush.execute(connection).await;
        let mut state = self.state();
        if let Err(error) = flushed {
            state.open = None;
            *place = None;
            return Err(error);
        }
        state.heard = Some(Instant::now());
        Ok(())
    }

    /// Ends the line.
    pub(crate) async fn close(&self) {
        let connection = self.0.line.lock().await.take();
        self.state().open = None;
        if let Some(connection) = connection {
            // It is of no use any more, whatever the server says.
            drop(connection.close().await);
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
