//! A coordinator for tests: remembers everything, or fails as told.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use shipway_protocol::{ArtifactSpec, Dependency, JobUpdate, TraceAck};

use crate::source::{JobSource, SourceError};

#[derive(Debug, Default)]
pub(crate) struct RecordingSource {
    at_most: Option<usize>,
    refuse_traces: bool,
    state: Mutex<Recorded>,
    /// Answers downloads, by name of the job.
    pub archives: Vec<(String, PathBuf)>,
}

#[derive(Debug, Default)]
struct Recorded {
    log: Vec<u8>,
    appends: usize,
    updates: Vec<JobUpdate>,
    uploads: Vec<Upload>,
}

#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub artifact_type: String,
    pub file_name: String,
    pub content: Vec<u8>,
}

impl RecordingSource {
    pub(crate) fn storing_at_most(bytes: usize) -> Self {
        Self {
            at_most: Some(bytes),
            ..Self::default()
        }
    }

    pub(crate) fn refusing_traces() -> Self {
        Self {
            refuse_traces: true,
            ..Self::default()
        }
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&self.state.lock().unwrap().log).into_owned()
    }

    pub(crate) fn log_bytes(&self) -> Vec<u8> {
        self.state.lock().unwrap().log.clone()
    }

    pub(crate) fn appends(&self) -> usize {
        self.state.lock().unwrap().appends
    }

    pub(crate) fn updates(&self) -> Vec<JobUpdate> {
        self.state.lock().unwrap().updates.clone()
    }

    pub(crate) fn uploads(&self) -> Vec<Upload> {
        self.state.lock().unwrap().uploads.clone()
    }
}

impl JobSource for RecordingSource {
    async fn append_trace(
        &self,
        _job: i64,
        offset: u64,
        bytes: &[u8],
    ) -> Result<TraceAck, SourceError> {
        if self.refuse_traces {
            return Err(SourceError::Failed {
                what: "append".into(),
                cause: "disk full".into(),
            });
        }
        let mut state = self.state.lock().unwrap();
        assert_eq!(offset, state.log.len() as u64);
        let taken = bytes.len().min(self.at_most.unwrap_or(usize::MAX));
        state.log.extend_from_slice(&bytes[..taken]);
        state.appends += 1;
        Ok(TraceAck {
            stored: state.log.len() as u64,
        })
    }

    async fn update_job(&self, _job: i64, update: JobUpdate) -> Result<(), SourceError> {
        self.state.lock().unwrap().updates.push(update);
        Ok(())
    }

    async fn upload_artifact(
        &self,
        _job: i64,
        spec: &ArtifactSpec,
        file_name: &str,
        file: &Path,
    ) -> Result<(), SourceError> {
        self.state.lock().unwrap().uploads.push(Upload {
            artifact_type: spec.artifact_type.clone(),
            file_name: file_name.to_owned(),
            content: std::fs::read(file).unwrap(),
        });
        Ok(())
    }

    async fn download_artifact(
        &self,
        _job: i64,
        dependency: &Dependency,
        into: &Path,
    ) -> Result<(), SourceError> {
        let archive = self
            .archives
            .iter()
            .find(|(name, _)| *name == dependency.name)
            .ok_or_else(|| SourceError::Refused {
                what: format!("download of {}", dependency.name),
                reason: "404 Not Found".into(),
            })?;
        std::fs::copy(&archive.1, into).unwrap();
        Ok(())
    }
}
