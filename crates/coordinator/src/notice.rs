//! What happened, for whoever watches. A missed notice costs time, never correctness: the
//! truth is in the store.

use std::time::Duration;

use shipway_pipeline::{JobId, PipelineId, Status};

/// Something that happened and is already stored.
#[derive(Debug, Clone)]
pub enum Notice {
    /// A job has a new status.
    Job(JobNotice),
    /// A pipeline has a new status.
    Pipeline {
        /// Which one.
        pipeline: PipelineId,
        /// Its status.
        status: Status,
    },
    /// A job's log has grown.
    Trace {
        /// Which job.
        job: JobId,
        /// Bytes that are stored.
        stored: u64,
    },
}

/// A job's new status with what a viewer shows beside it.
#[derive(Debug, Clone)]
pub struct JobNotice {
    /// Its pipeline.
    pub pipeline: PipelineId,
    /// Its id.
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// Its new status.
    pub status: Status,
    /// Its failure is overlooked.
    pub allow_failure: bool,
    /// How long it waited for its runner.
    pub waited: Option<Duration>,
    /// How long it ran.
    pub duration: Option<Duration>,
    /// The script's exit code.
    pub exit_code: Option<i32>,
    /// Percent.
    pub coverage: Option<f64>,
}
