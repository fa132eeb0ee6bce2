//! Archives and reports: stored when a job ends, read by later jobs.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use shipway_config::duration;
use shipway_pipeline::JobId;
use shipway_protocol::{ArtifactFormat, ArtifactSpec};
use shipway_store::{JobUpdate, NewArtifact};

use crate::coordinator::{Coordinator, now};
use crate::error::Error;
use crate::reports::dotenv::{self, DotenvError};
use crate::reports::junit::{self, TestTotals};

/// Bytes of all JUnit reports of a job that are read (language inventory, 9.5).
const JUNIT_LIMIT: u64 = 100 * 1024 * 1024;

/// How long a server keeps artifacts that do not say; GitLab's default.
const DEFAULT_EXPIRY: &str = "30 days";

impl Coordinator {
    /// Stores a finished file of a job, and reads it where it is a report we understand.
    ///
    /// # Errors
    /// [`Error::Artifact`] for a report that breaks its format; otherwise when the file or the
    /// row cannot be stored.
    pub async fn store_artifact(
        &self,
        job: JobId,
        spec: &ArtifactSpec,
        file_name: &str,
        file: &Path,
    ) -> Result<(), Error> {
        let pipeline = self.pipeline_of(job).await?;
        let kind = spec.artifact_type.clone();
        let path = file.to_owned();
        let name = file_name.to_owned();
        let reading = tokio::task::spawn_blocking(move || read_report(&kind, &name, &path));
        let tests = match reading.await {
            Ok(read) => read?,
            Err(error) => {
                tracing::warn!(%error, "report.failed");
                None
            }
        };
        let blobs = self.store.blobs();
        let blob = (blobs.put_file(pipeline, job, file_name, file, u64::MAX)).await?;
        // A laptop's runs are pruned by their size and not by their age.
        let default = self.hosting.as_ref().map(|_| DEFAULT_EXPIRY);
        let expires_at = spec.expire_in.as_deref().or(default);
        let expires_at = expires_at
            .and_then(duration::parse_seconds)
            .and_then(|seconds| i64::try_from(seconds).ok())
            .map(|seconds| now().saturating_add(seconds.saturating_mul(1_000_000)));
        let mut transaction = self.store.begin().await?;
        transaction
            .insert_artifact(&NewArtifact {
                job_id: job,
                file_type: spec.artifact_type.clone(),
                format: format_name(spec.artifact_format).to_owned(),
                file_name: file_name.to_owned(),
                size: i64::try_from(blob.size).unwrap_or(i64::MAX),
                expires_at,
                path: blob.path,
                digest: Some(blob.digest.to_vec()),
            })
            .await?;
        if let Some(tests) = tests {
            let update = JobUpdate {
                tests: serde_json::to_string(&tests).ok(),
                ..JobUpdate::default()
            };
            transaction.update_job(job, &update).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Writes a job's archive to the file `into`.
    ///
    /// # Errors
    /// When the job has no archive or the file cannot be copied.
    pub async fn fetch_archive(&self, job: JobId, into: &Path) -> Result<(), Error> {
        let artifacts = self.store.artifacts_of(job).await?;
        let archive = artifacts.iter().find(|file| file.file_type == "archive");
        let archive = archive.ok_or(Error::NoArchive(job))?;
        Ok(self.store.blobs().fetch(&archive.path, into).await?)
    }
}

/// The totals of a JUnit report; refuses a dotenv report that breaks its format. A JUnit
/// report that is not XML is worth a warning and no more.
fn read_report(kind: &str, file_name: &str, path: &Path) -> Result<Option<TestTotals>, Error> {
    let open = || File::open(path).map_err(Error::file(path));
    match kind {
        "junit" => {
            let report = MultiGzDecoder::new(BufReader::new(open()?)).take(JUNIT_LIMIT);
            match junit::totals(BufReader::new(report)) {
                Ok(totals) => Ok(Some(totals)),
                Err(error) => {
                    tracing::warn!(%error, file_name, "junit.unreadable");
                    Ok(None)
                }
            }
        }
        "dotenv" => {
            let mut text = Vec::new();
            MultiGzDecoder::new(open()?)
                .take(dotenv::SIZE_LIMIT as u64 + 1)
                .read_to_end(&mut text)
                .map_err(Error::file(path))?;
            let refuse = |source: DotenvError| Error::Artifact {
                file_name: file_name.to_owned(),
                source,
            };
            dotenv::parse(&text).map(|_| None).map_err(refuse)
        }
        _ => Ok(None),
    }
}

fn format_name(format: ArtifactFormat) -> &'static str {
    match format {
        ArtifactFormat::Zip => "zip",
        ArtifactFormat::Gzip => "gzip",
        ArtifactFormat::Raw => "raw",
    }
}
