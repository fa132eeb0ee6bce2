//! Streams of events that say when a page is out of date. A page that is told so fetches itself
//! anew and puts its regions in place of the old ones; what it shows is always the server's.

use std::convert::Infallible;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use shipway_coordinator::Notice;
use shipway_pipeline::PipelineId;
use shipway_store::Change;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::shell::Shell;
use super::visit::ProjectVisit;
use crate::app::App;
use crate::error::ApiError;
use crate::permission::Action;

/// Without a script a page of something that moves asks again after so many seconds.
const REFRESH: u32 = 5;

/// Between two events of a stream, at least.
const PACE: Duration = Duration::from_millis(500);

/// A page is out of date after this long in any case: durations and ages are on it.
const STALE: Duration = Duration::from_secs(30);

/// A comment that often, so that nobody in between takes the connection for dead.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);

/// Events that a slow reader may be behind.
const BUFFERED: usize = 16;

/// Lets a page of a project follow what happens there; `moves` when something on it does
/// without anybody's doing.
pub(super) fn follow(shell: &mut Shell, url: &str, moves: bool) {
    shell.events = Some(format!("{url}/-/events"));
    shell.refresh = moves.then_some(REFRESH);
}

/// As [`follow`], for what happens in one pipeline.
pub(super) fn follow_pipeline(shell: &mut Shell, url: &str, pipeline: PipelineId, moves: bool) {
    shell.events = Some(format!("{url}/-/events?pipeline={pipeline}"));
    shell.refresh = moves.then_some(REFRESH);
}

/// `GET /-/events`: an event `change` whenever something of the project, or of the pipeline
/// that is asked for, may look otherwise.
pub(super) async fn stream(visit: ProjectVisit) -> Result<Response, ApiError> {
    visit.require(Action::ReadPipelines)?;
    let only: Option<i64> = visit.query("pipeline").parse().ok();
    let (sender, receiver) = mpsc::channel(BUFFERED);
    // Listens before it answers: a page that has the answer misses nothing from then on.
    let wake = Wake::new(&visit.app, only.map(PipelineId));
    tokio::spawn(watch(visit.app.clone(), wake, sender));
    Ok(answer(receiver))
}

/// The events of a channel as a response that nobody in between buffers.
pub(super) fn answer(receiver: mpsc::Receiver<Event>) -> Response {
    let stream = Sse::new(events(receiver)).keep_alive(KeepAlive::new().interval(HEARTBEAT));
    let headers = [
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("no-cache, no-transform"),
        ),
        (
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ),
    ];
    (headers, stream).into_response()
}

fn events(receiver: mpsc::Receiver<Event>) -> impl Stream<Item = Result<Event, Infallible>> {
    futures_util::stream::unfold(receiver, |mut receiver| async {
        let event = receiver.recv().await?;
        Some((Ok(event), receiver))
    })
}

/// Tells of changes until the reader is gone or the server ends.
async fn watch(app: App, mut wake: Wake, sender: mpsc::Sender<Event>) {
    loop {
        let event = Event::default().event("change").data("{}");
        tokio::select! {
            () = app.closing().cancelled() => return,
            () = sender.closed() => return,
            () = wake.next() => {}
        }
        if sender.send(event).await.is_err() {
            return;
        }
        tokio::time::sleep(PACE).await;
    }
}

/// Waits until something may have changed: by notices of this process, by those of others
/// through the store, and after a while anyway.
pub(super) struct Wake {
    notices: tokio::sync::broadcast::Receiver<Notice>,
    changes: shipway_store::Changes,
    pipeline: Option<PipelineId>,
    job: Option<shipway_pipeline::JobId>,
    told: Instant,
}

impl Wake {
    pub(super) fn new(app: &App, pipeline: Option<PipelineId>) -> Self {
        Self {
            notices: app.coordinator().subscribe(),
            changes: app.store().changes(),
            pipeline,
            job: None,
            told: Instant::now(),
        }
    }

    /// Also by a job's log.
    pub(super) fn with_log(mut self, job: shipway_pipeline::JobId) -> Self {
        self.job = Some(job);
        self
    }

    /// Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) {
        let mut listening = true;
        loop {
            tokio::select! {
                notice = self.notices.recv(), if listening => match notice {
                    Ok(notice) if !self.concerns(&notice) => {}
                    // To be behind means that anything may have happened.
                    Ok(_) | Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => listening = false,
                },
                change = self.changes.next() => match change {
                    Change::Topic(topic) if self.names(&topic) => break,
                    // The log of another process is not told of.
                    Change::Everything if self.job.is_some() => break,
                    Change::Topic(_) | Change::Everything => {}
                },
                () = tokio::time::sleep_until(self.told + STALE) => break,
            }
        }
        self.told = Instant::now();
    }

    fn concerns(&self, notice: &Notice) -> bool {
        let pipeline = match notice {
            Notice::Job(job) => job.pipeline,
            Notice::Pipeline { pipeline, .. } => *pipeline,
            Notice::Trace { job, .. } => return self.job == Some(*job),
        };
        self.pipeline.is_none_or(|wanted| wanted == pipeline)
    }

    fn names(&self, topic: &str) -> bool {
        match (topic.strip_prefix("pipeline "), self.pipeline) {
            (Some(_), None) => true,
            (Some(id), Some(wanted)) => id == wanted.0.to_string(),
            (None, _) => false,
        }
    }
}
