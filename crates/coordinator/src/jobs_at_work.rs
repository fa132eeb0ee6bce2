//! The jobs that runners have right now, in memory, so that a runner's word about its job costs
//! no question to the store.
//!
//! A row is kept from the step that handed the job out until the step that ends it. When others
//! say that they took a step of the pipeline, and every few seconds in case that was not heard,
//! the rows are forgotten, and whoever asks reads the store. A row may so be behind for a
//! moment; what it is used for bears that, since each step is checked against the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shipway_pipeline::{JobId, PipelineId};
use shipway_store::JobRow;

/// Jobs that this process handed out.
#[derive(Debug, Default)]
pub(crate) struct JobsAtWork(Mutex<HashMap<JobId, Entry>>);

#[derive(Debug)]
struct Entry {
    pipeline: PipelineId,
    /// As it is stored; none where others may have changed it.
    row: Option<Arc<JobRow>>,
}

impl JobsAtWork {
    /// Keeps a row that was just stored, as long as the job is at work.
    pub(crate) fn note(&self, row: &JobRow) {
        let mut jobs = self.jobs();
        if row.status.is_executing() {
            let entry = Entry {
                pipeline: row.pipeline_id,
                row: Some(Arc::new(row.clone())),
            };
            jobs.insert(row.id, entry);
        } else {
            jobs.remove(&row.id);
        }
    }

    /// The row, where it is known.
    pub(crate) fn row(&self, job: JobId) -> Option<Arc<JobRow>> {
        self.jobs().get(&job)?.row.clone()
    }

    /// The pipeline of a job, which never changes.
    pub(crate) fn pipeline_of(&self, job: JobId) -> Option<PipelineId> {
        Some(self.jobs().get(&job)?.pipeline)
    }

    /// Repeats on the row, where it is known, what was written to the store outside of a step.
    pub(crate) fn change(&self, job: JobId, change: impl FnOnce(&mut JobRow)) {
        if let Some(row) = self.jobs().get_mut(&job).and_then(|job| job.row.as_mut()) {
            change(Arc::make_mut(row));
        }
    }

    /// Forgets a job that is not at work any more.
    pub(crate) fn remove(&self, job: JobId) {
        self.jobs().remove(&job);
    }

    /// Forgets the jobs of a pipeline.
    pub(crate) fn remove_pipeline(&self, pipeline: PipelineId) {
        self.jobs().retain(|_, job| job.pipeline != pipeline);
    }

    /// Forgets the rows of a pipeline, or of all: others may have changed them.
    pub(crate) fn doubt(&self, pipeline: Option<PipelineId>) {
        for job in self.jobs().values_mut() {
            if pipeline.is_none_or(|pipeline| job.pipeline == pipeline) {
                job.row = None;
            }
        }
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<JobId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
