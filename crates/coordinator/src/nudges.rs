//! Pipelines of which something may follow in others. Nobody's word counts: who is nudged
//! looks at the rows.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use shipway_pipeline::PipelineId;
use tokio::sync::Notify;

/// What is to be looked at.
#[derive(Debug, Default)]
pub(crate) struct Nudges {
    waiting: Mutex<BTreeSet<PipelineId>>,
    arrived: Notify,
}

impl Nudges {
    /// Asks for a look at a pipeline.
    pub(crate) fn add(&self, pipeline: PipelineId) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(pipeline);
        drop(waiting);
        self.arrived.notify_one();
    }

    /// What has been asked for since.
    pub(crate) fn take(&self) -> BTreeSet<PipelineId> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut waiting)
    }

    /// Until somebody asks.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }
}
