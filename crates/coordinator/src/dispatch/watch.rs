//! The tasks that see what happens: by notices, by those of other processes, and by the clock.

use std::time::Duration;

use shipway_pipeline::{JobId, PipelineId, Status};
use shipway_store::{Change, RunnerId};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::Instant;

use super::Dispatch;
use crate::coordinator::{QUEUE, now};
use crate::notice::Notice;

/// Between two looks at the whole queue, at least; longer where a look takes long.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// A look at the whole queue may take one part in so many of the time.
const LOOK_SHARE: u32 = 20;

/// Between two looks for jobs whose time is over.
const RECONCILE_INTERVAL: Duration = Duration::from_secs(10);

/// Sees to jobs whose time is over, again and again.
pub(super) async fn reconcile(dispatch: std::sync::Weak<Dispatch>) {
    let mut interval = tokio::time::interval(RECONCILE_INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let Some(dispatch) = dispatch.upgrade() else {
            return;
        };
        if let Err(error) = dispatch.coordinator.end_overdue_jobs(now()).await {
            if dispatch.coordinator.store().is_closed() {
                return;
            }
            tracing::warn!(%error, "jobs.overdue.failed");
        }
    }
}

/// The task that watches.
pub(super) struct Watch {
    pub(super) dispatch: std::sync::Weak<Dispatch>,
    pub(super) changes: shipway_store::Changes,
    pub(super) notices: broadcast::Receiver<Notice>,
    pub(super) settling: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
}

/// What there is to do.
#[derive(Debug, Default)]
struct News {
    pending: Vec<JobId>,
    all: bool,
}

impl Watch {
    pub(super) async fn run(mut self) {
        let mut next_look = Instant::now();
        let mut news = News::default();
        let mut settled = Vec::new();
        loop {
            tokio::select! {
                change = self.changes.next() => self.changed(change, &mut news),
                notice = self.notices.recv() => match notice {
                    Ok(notice) => self.noticed(notice, &mut news),
                    Err(broadcast::error::RecvError::Lagged(_)) => news.all = true,
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                Some(waits) = self.settling.recv() => settled.push(waits),
                () = tokio::time::sleep_until(next_look), if news.all => {}
            }
            while let Ok(waits) = self.settling.try_recv() {
                settled.push(waits);
            }
            // What came at the same time is looked at together.
            while let Ok(notice) = self.notices.try_recv() {
                self.noticed(notice, &mut news);
            }
            let Some(dispatch) = self.dispatch.upgrade() else {
                return;
            };
            let looked = if news.all && Instant::now() >= next_look {
                news = News::default();
                let begun = Instant::now();
                let looked = dispatch.look().await;
                next_look = Instant::now() + LOOK_INTERVAL.max(begun.elapsed() * LOOK_SHARE);
                looked
            } else if news.pending.is_empty() {
                Ok(())
            } else {
                dispatch.look_at(&std::mem::take(&mut news.pending)).await
            };
            if let Err(error) = looked {
                tracing::warn!(%error, "queue.unreadable");
                news.all = true;
                next_look = Instant::now() + LOOK_INTERVAL * LOOK_SHARE;
            }
            for waits in settled.drain(..) {
                // Whoever asked may have gone.
                let _ = waits.send(());
            }
        }
    }

    fn changed(&self, change: Change, news: &mut News) {
        let Some(dispatch) = self.dispatch.upgrade() else {
            return;
        };
        let at_work = &dispatch.coordinator.kept.at_work;
        match change {
            Change::Everything => {
                news.all = true;
                at_work.doubt(None);
            }
            Change::Topic(topic) if topic == QUEUE => news.all = true,
            Change::Topic(topic) => match topic.split_once(' ') {
                Some(("pipeline", id)) => at_work.doubt(id.parse().ok().map(PipelineId)),
                // It is gone with its jobs.
                Some(("project", _)) => at_work.doubt(None),
                Some(("runner", id)) => {
                    if let Ok(id) = id.parse() {
                        dispatch.call_changed(RunnerId(id));
                    }
                }
                _ => {}
            },
        }
    }

    fn noticed(&self, notice: Notice, news: &mut News) {
        let Notice::Job(job) = notice else { return };
        let Some(dispatch) = self.dispatch.upgrade() else {
            return;
        };
        match job.status {
            Status::Pending => news.pending.push(job.id),
            Status::Running => {}
            Status::Canceling => {
                tokio::spawn(async move {
                    // What is missed here is found by the reconciler.
                    if let Err(error) = dispatch.coordinator.cancel_at_once(job.id).await {
                        tracing::warn!(job = %job.id, %error, "job.cancel.failed");
                    }
                });
            }
            _ => dispatch.remove(job.id),
        }
    }
}
