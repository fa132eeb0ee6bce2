//! The coordinator as the runner sees it, joined by function calls.

use std::path::Path;
use std::sync::Arc;

use shipway_coordinator::{Coordinator, Error};
use shipway_pipeline::JobId;
use shipway_protocol::{ArtifactSpec, Dependency, JobUpdate, TraceAck};
use shipway_runner::{JobSource, SourceError};

/// A [`JobSource`] without HTTP.
#[derive(Debug, Clone)]
pub(super) struct InProcess(pub(super) Arc<Coordinator>);

impl JobSource for InProcess {
    async fn append_trace(
        &self,
        job: i64,
        offset: u64,
        bytes: &[u8],
    ) -> Result<TraceAck, SourceError> {
        let stored = self.0.append_trace(JobId(job), offset, bytes);
        let stored = stored
            .await
            .map_err(|error| failed("storing the log", error))?;
        Ok(TraceAck { stored })
    }

    async fn update_job(&self, job: i64, update: JobUpdate) -> Result<(), SourceError> {
        let done = self.0.update_job(JobId(job), &update);
        done.await
            .map_err(|error| failed("storing the job's result", error))
    }

    async fn upload_artifact(
        &self,
        job: i64,
        spec: &ArtifactSpec,
        file_name: &str,
        file: &Path,
    ) -> Result<(), SourceError> {
        let done = self.0.store_artifact(JobId(job), spec, file_name, file);
        done.await.map_err(|error| match error {
            Error::Artifact { .. } => SourceError::Refused {
                what: format!("upload of {file_name}"),
                reason: error.to_string(),
            },
            error => failed("storing an artifact", error),
        })
    }

    async fn download_artifact(
        &self,
        _job: i64,
        dependency: &Dependency,
        into: &Path,
    ) -> Result<(), SourceError> {
        let done = self.0.fetch_archive(JobId(dependency.id), into);
        done.await
            .map_err(|error| failed("reading an archive", error))
    }
}

fn failed(what: &str, error: Error) -> SourceError {
    SourceError::Failed {
        what: what.to_owned(),
        cause: Box::new(error),
    }
}
