//! A job's log: a window of it on the page, what comes after it as a stream of events, and all
//! of it as plain text.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use shipway_pipeline::{JobId, PipelineId};
use shipway_store::{JobRow, LogError, LogLines};
use tokio::sync::mpsc;

use super::events::{Wake, answer};
use super::html::Html;
use super::job::{job_of, require_log};
use super::log_view::{Builder, Step, markup};
use super::visit::ProjectVisit;
use crate::app::App;
use crate::error::ApiError;

/// Lines on a page at most.
const WINDOW: u64 = 3000;

/// Lines before a window that are read for the colour and the sections it begins in.
const RUN_UP: u64 = 500;

/// Lines that one event has at most.
const BATCH: usize = 500;

/// Between two events, at least.
const PACE: std::time::Duration = std::time::Duration::from_millis(100);

/// Events that a slow reader may be behind.
const BUFFERED: usize = 4;

/// Bytes that are read of a raw log at a time.
const PIECE: usize = 256 * 1024;

/// The part of a log that a page shows.
#[derive(Debug, Default)]
pub(super) struct Window {
    pub(super) markup: Html,
    /// The number of its first line.
    pub(super) first: u64,
    /// Lines up to its end: where a stream goes on.
    pub(super) next: u64,
    /// Lines of the whole log.
    pub(super) total: u64,
    pub(super) earlier: Option<String>,
    pub(super) later: Option<String>,
}

/// The window from a line on, else the last one: what one wants to know is at the end.
pub(super) async fn window(app: &App, job: &JobRow, from: Option<u64>) -> Result<Window, ApiError> {
    let total = lines(app, job, u64::MAX, 0).await?.total;
    let begin = match from {
        Some(line) => line.saturating_sub(1).min(total.saturating_sub(1)),
        None => total.saturating_sub(WINDOW),
    };
    let run_up = begin.saturating_sub(RUN_UP);
    let wanted = usize::try_from(WINDOW + (begin - run_up)).unwrap_or_default();
    let found = lines(app, job, run_up, wanted).await?;
    let whole = job.status.is_completed();
    let (mut builder, mut steps) = (Builder::after(run_up), Vec::new());
    for line in &found.lines {
        // Of a log that grows, a line that has no end is left to the stream.
        if line.ends_with(b"\n") || whole {
            steps.extend(builder.push(line));
        }
    }
    if whole {
        steps.extend(builder.finish());
    }
    let next = builder.lines();
    let steps = since(steps, begin);
    let before = begin.saturating_sub(WINDOW) + 1;
    Ok(Window {
        markup: Html::trusted(markup(&steps)),
        first: begin + 1,
        next,
        total,
        earlier: (begin > 0).then(|| format!("?from={before}#L{begin}")),
        later: (next + 1 < total).then(|| format!("?from={}#L{}", next + 1, next + 1)),
    })
}

/// The steps after so many lines, in the sections that are open there.
fn since(steps: Vec<Step>, lines: u64) -> Vec<Step> {
    let mut open: Vec<Step> = Vec::new();
    let mut rest = steps.into_iter();
    let mut kept = Vec::new();
    for step in rest.by_ref() {
        let number = match &step {
            Step::Line { number, .. } | Step::Open { number, .. } => *number,
            Step::Close { .. } => {
                open.pop();
                continue;
            }
        };
        if number > lines {
            kept.push(step);
            break;
        }
        if matches!(step, Step::Open { .. }) {
            open.push(step);
        }
    }
    open.into_iter().chain(kept).chain(rest).collect()
}

async fn lines(app: &App, job: &JobRow, from: u64, count: usize) -> Result<LogLines, ApiError> {
    let (store, pipeline, id) = (app.store().clone(), job.pipeline_id, job.id);
    blocking(move || store.logs().lines(pipeline, id, from, count)).await
}

/// Logs are files: reading them blocks.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, LogError> + Send + 'static,
) -> Result<T, ApiError> {
    let read = tokio::task::spawn_blocking(read).await;
    let read = read.map_err(|error| ApiError::internal(&error))?;
    read.map_err(|error| ApiError::internal(&error))
}

/// `GET /-/jobs/{id}/raw`: the log so far as plain text, without the markers of sections.
pub(super) async fn raw(visit: ProjectVisit, Path(id): Path<i64>) -> Result<Response, ApiError> {
    let (job, _) = job_of(&visit, id).await?;
    require_log(&visit, &job)?;
    let (store, pipeline) = (visit.app.store().clone(), job.pipeline_id);
    let length = {
        let store = store.clone();
        blocking(move || store.logs().length(pipeline, JobId(id))).await?
    };
    let pieces = futures_util::stream::try_unfold(0_u64, move |offset| {
        let store = store.clone();
        async move {
            if offset >= length {
                return Ok::<_, ApiError>(None);
            }
            let left = usize::try_from(length - offset).unwrap_or(PIECE).min(PIECE);
            let piece = blocking(move || store.logs().read(pipeline, JobId(id), offset, left));
            let piece = piece.await?;
            let read = piece.len() as u64;
            Ok((read > 0).then_some((piece, offset + read)))
        }
    });
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        ),
        (header::CONTENT_LENGTH, HeaderValue::from(length)),
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("private, no-store"),
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("sandbox; default-src 'none'"),
        ),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// `GET /-/jobs/{id}/events`: `log` events with the steps that the log grew by, the last of
/// them when the job is over, then `end`. `?after=` or `Last-Event-ID` says how many lines the
/// reader has.
pub(super) async fn stream(
    visit: ProjectVisit,
    Path(id): Path<i64>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (job, _) = job_of(&visit, id).await?;
    require_log(&visit, &job)?;
    let resumed = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok());
    let after = resumed
        .unwrap_or(visit.query("after"))
        .parse()
        .unwrap_or_default();
    let (sender, receiver) = mpsc::channel(BUFFERED);
    tokio::spawn(follow(
        visit.app.clone(),
        job.pipeline_id,
        job.id,
        after,
        sender,
    ));
    Ok(answer(receiver))
}

/// Sends what a log grows by until the job is over, the reader gone or the server ends.
async fn follow(
    app: App,
    pipeline: PipelineId,
    job: JobId,
    after: u64,
    sender: mpsc::Sender<Event>,
) {
    let mut wake = Wake::new(&app, Some(pipeline)).with_log(job);
    let mut reader = match Reader::begin(&app, job, after).await {
        Ok(reader) => reader,
        Err(error) => return tracing::debug!(%error, "a log is not followed"),
    };
    loop {
        // Its runner sends the log in short intervals while somebody looks. (We are woken every
        // few seconds at least.)
        app.dispatch().watch(job);
        // Looked at before the log: what is written before the end is read after it.
        let over = match app.store().job(job).await {
            Ok(Some(row)) => row.status.is_completed(),
            Ok(None) => true,
            Err(error) => return tracing::debug!(%error, "a log is not followed any more"),
        };
        loop {
            let steps = match reader.read(&app, over).await {
                Ok(steps) => steps,
                Err(error) => return tracing::debug!(%error, "a log is not followed any more"),
            };
            if steps.is_empty() {
                break;
            }
            let text = serde_json::to_string(&steps).unwrap_or_default();
            let id = reader.builder.lines().to_string();
            let event = Event::default().event("log").id(id).data(text);
            if sender.send(event).await.is_err() {
                return;
            }
        }
        if over {
            sender
                .send(Event::default().event("end").data("{}"))
                .await
                .ok();
            return;
        }
        tokio::time::sleep(PACE).await;
        tokio::select! {
            () = app.closing().cancelled() => return,
            () = sender.closed() => return,
            () = wake.next() => {}
        }
    }
}

/// Where a follower is in a log.
struct Reader {
    job: JobRow,
    builder: Builder,
}

impl Reader {
    /// After so many lines, with the colour and the sections that are open there.
    async fn begin(app: &App, job: JobId, after: u64) -> Result<Self, ApiError> {
        let row = app.store().job(job).await?;
        let job = row.ok_or_else(|| ApiError::not_found("Job"))?;
        let run_up = after.saturating_sub(RUN_UP);
        let mut builder = Builder::after(run_up);
        let count = usize::try_from(after - run_up).unwrap_or_default();
        for line in lines(app, &job, run_up, count).await?.lines {
            builder.push(&line);
        }
        Ok(Self { job, builder })
    }

    /// The next steps; also of a last line without an end, when nothing more comes.
    async fn read(&mut self, app: &App, over: bool) -> Result<Vec<Step>, ApiError> {
        let found = lines(app, &self.job, self.builder.lines(), BATCH).await?;
        let mut steps = Vec::new();
        for line in &found.lines {
            if line.ends_with(b"\n") {
                steps.extend(self.builder.push(line));
            } else if over {
                steps.extend(self.builder.push(line));
                steps.extend(self.builder.finish());
            }
        }
        Ok(steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_begins_in_the_sections_that_are_open() {
        let start = "\r\x1b[0K";
        let log = format!(
            "section_start:1:a{start}A\nsection_start:1:b{start}B\nsection_end:2:b{start}\n\
             section_start:3:c{start}C\nx\ny\nsection_end:9:a{start}z\n"
        );
        let steps = Builder::default().push(log.as_bytes());
        let short: Vec<String> = (since(steps, 5).iter())
            .map(|step| match step {
                Step::Line { number, .. } => number.to_string(),
                Step::Open { name, .. } => format!("+{name}"),
                Step::Close { .. } => "-".to_owned(),
            })
            .collect();
        assert_eq!(short, ["+a", "+c", "6", "-", "-", "7"]);
    }
}
