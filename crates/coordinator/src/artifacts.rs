//! Archives and reports: stored when a job ends, read by later jobs.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use shipway_config::duration;
use shipway_pipeline::JobId;
use shipway_protocol::{ArtifactFormat, ArtifactSpec};
use shipway_store::{
    Accessibility, ArtifactRow, Blob, JobRow, JobUpdate, NewArtifact, Transaction,
};
use tokio::io::AsyncReadExt as _;

use crate::coordinator::{Coordinator, now};
use crate::error::Error;
use crate::job_token;
use crate::live;
use crate::recent_failures;
use crate::reports::dotenv::{self, DotenvError};
use crate::reports::junit::{self, TestCases, TestStatus, TestTotals};

/// Bytes of all JUnit reports of a job that are read (language inventory, 9.5).
const JUNIT_LIMIT: u64 = 100 * 1024 * 1024;

/// Bytes of the packed JUnit reports of a job that are read for their single tests; they are
/// held in memory.
const PACKED_JUNIT_LIMIT: i64 = 16 * 1024 * 1024;

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
        let tests = read(spec, file_name, file).await?;
        let blobs = self.store.blobs();
        let blob = (blobs.put_file(pipeline, job, file_name, file, u64::MAX)).await?;
        let mut transaction = self.store.begin().await?;
        transaction
            .insert_artifact(&new_artifact(job, spec, file_name, blob, self.expiry()))
            .await?;
        let row = transaction.job(job).await?;
        note_tests(&mut transaction, &row, tests).await?;
        Ok(transaction.commit().await?)
    }

    /// Stores a finished file that the runner of a job at work sent, unless the job has one of
    /// this type. `digest` is the SHA-256 of the file; who may read it is as the runner asks,
    /// else as the job's configuration says.
    ///
    /// # Errors
    /// As [`Self::store_artifact`]; [`Error::NotAtWork`] when the job is over.
    pub async fn accept_artifact(
        &self,
        job: &JobRow,
        spec: &ArtifactSpec,
        file_name: &str,
        file: &Path,
        digest: &[u8],
        asked: Option<Accessibility>,
    ) -> Result<Accepted, Error> {
        let stored = self.store.artifacts_of(job.id).await?;
        if let Some(known) = compared(&stored, spec, digest) {
            // Whoever stored it may have died before it was durable, and is not asked again.
            self.store.begin().await?.commit().await?;
            return Ok(known);
        }
        let tests = read(spec, file_name, file).await?;
        let blobs = self.store.blobs();
        // A name of its own: whoever sends the same type at the same time replaces nothing.
        let own_name = job_token::random("")? + "-" + file_name;
        let put = blobs.put_file(job.pipeline_id, job.id, &own_name, file, u64::MAX);
        let blob = put.await?;
        let path = blob.path.clone();
        let new = NewArtifact {
            accessibility: asked.unwrap_or(accessibility(job)?),
            ..new_artifact(job.id, spec, file_name, blob, self.expiry())
        };
        let accepted = self.insert_accepted(&new, spec, digest, tests).await;
        // Of a commit that failed nobody knows whether the row is there, and it needs its file.
        if let Ok(Accepted::Same | Accepted::Other) | Err(Error::NotAtWork { .. }) = accepted {
            blobs.delete(&path).await?;
        }
        accepted
    }

    /// How long artifacts are kept that do not say. A laptop's runs are pruned by their size
    /// and not by their age.
    fn expiry(&self) -> Option<&'static str> {
        self.hosting.as_ref().map(|_| DEFAULT_EXPIRY)
    }

    async fn insert_accepted(
        &self,
        new: &NewArtifact,
        spec: &ArtifactSpec,
        digest: &[u8],
        tests: Option<Tests>,
    ) -> Result<Accepted, Error> {
        let mut transaction = self.store.begin().await?;
        let job = transaction.job(new.job_id).await?;
        if !job.status.is_executing() {
            let (job, status) = (job.id, job.status);
            return Err(Error::NotAtWork { job, status });
        }
        let stored = transaction.artifacts_of(job.id).await?;
        if let Some(known) = compared(&stored, spec, digest) {
            transaction.commit().await?;
            return Ok(known);
        }
        transaction.insert_artifact(new).await?;
        note_tests(&mut transaction, &job, tests).await?;
        transaction.commit().await?;
        Ok(Accepted::Stored)
    }

    /// The tests of a job's JUnit reports; none where it has no reports any more. What is
    /// wrong with a report is a text for people.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn test_cases(&self, job: JobId) -> Result<Result<TestCases, String>, Error> {
        let artifacts = self.store.artifacts_of(job).await?;
        let Some(report) = artifacts.iter().find(|file| file.file_type == "junit") else {
            return Ok(Ok(TestCases {
                complete: true,
                ..TestCases::default()
            }));
        };
        if report.size > PACKED_JUNIT_LIMIT {
            return Ok(Err(format!(
                "the packed report has {} bytes, more than the {PACKED_JUNIT_LIMIT} that are read",
                report.size
            )));
        }
        let mut packed = Vec::new();
        let mut blob = self.store.blobs().get(&report.path, ..).await?;
        let read = blob.read_to_end(&mut packed).await;
        read.map_err(Error::file(&report.path))?;
        let reading = tokio::task::spawn_blocking(move || {
            let report = MultiGzDecoder::new(packed.as_slice()).take(JUNIT_LIMIT);
            junit::cases(BufReader::new(report)).map_err(|error| error.to_string())
        });
        reading
            .await
            .map_err(|error| Error::Panicked(error.to_string()))
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

/// Whether a job at work may fetch the archive of another of its own pipeline. (What people and scripts may read is
/// another question, and the API's.)
pub(crate) fn may_fetch(asking: &JobRow, wanted: &JobRow) -> bool {
    asking.project_id == wanted.project_id && asking.pipeline_id == wanted.pipeline_id
}

/// What became of an artifact that a runner sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is stored.
    Stored,
    /// The same file was stored before.
    Same,
    /// Another file of its type is stored, and stays.
    Other,
}

/// What a job's stored artifacts say to another one; nothing when none is of its type.
fn compared(stored: &[ArtifactRow], spec: &ArtifactSpec, digest: &[u8]) -> Option<Accepted> {
    let known = stored
        .iter()
        .find(|row| row.file_type == spec.artifact_type)?;
    Some(match known.digest.as_deref() == Some(digest) {
        true => Accepted::Same,
        false => Accepted::Other,
    })
}

/// `default` is how long it is kept when it does not say.
fn new_artifact(
    job: JobId,
    spec: &ArtifactSpec,
    file_name: &str,
    blob: Blob,
    default: Option<&str>,
) -> NewArtifact {
    let expires_at = spec.expire_in.as_deref().or(default);
    let expires_at = expires_at
        .and_then(duration::parse_seconds)
        .and_then(|seconds| i64::try_from(seconds).ok())
        .map(|seconds| now().saturating_add(seconds.saturating_mul(1_000_000)));
    NewArtifact {
        job_id: job,
        file_type: spec.artifact_type.clone(),
        format: format_name(spec.artifact_format).to_owned(),
        file_name: file_name.to_owned(),
        size: i64::try_from(blob.size).unwrap_or(i64::MAX),
        expires_at,
        path: blob.path,
        digest: Some(blob.digest.to_vec()),
        accessibility: Accessibility::Public,
    }
}

/// What `artifacts:access` of the job means for each of its files.
fn accessibility(job: &JobRow) -> Result<Accessibility, Error> {
    let artifacts = live::spec(job)?.artifacts;
    let access = artifacts.and_then(|artifacts| artifacts.access);
    Ok(match access.as_deref() {
        Some("developer") => Accessibility::Private,
        Some("maintainer") => Accessibility::Maintainer,
        Some("none") => Accessibility::None,
        _ => Accessibility::Public,
    })
}

/// What is kept of a JUnit report.
struct Tests {
    totals: TestTotals,
    /// Classes and names of those that failed, as far as they are noted.
    failed: Vec<(String, String)>,
}

async fn note_tests(
    transaction: &mut Transaction,
    job: &JobRow,
    tests: Option<Tests>,
) -> Result<(), Error> {
    if let Some(tests) = tests {
        let update = JobUpdate {
            tests: serde_json::to_string(&tests.totals).ok(),
            ..JobUpdate::default()
        };
        transaction.update_job(job.id, &update).await?;
        recent_failures::note(transaction, job, &tests.failed).await?;
    }
    Ok(())
}

/// Reads a report on a thread that may block.
async fn read(spec: &ArtifactSpec, file_name: &str, file: &Path) -> Result<Option<Tests>, Error> {
    let kind = spec.artifact_type.clone();
    let (name, path) = (file_name.to_owned(), file.to_owned());
    let reading = tokio::task::spawn_blocking(move || read_report(&kind, &name, &path));
    match reading.await {
        Ok(read) => read,
        Err(error) => {
            tracing::warn!(%error, "report.failed");
            Ok(None)
        }
    }
}

/// The totals of a JUnit report; refuses a dotenv report that breaks its format. A JUnit
/// report that is not XML is worth a warning and no more.
fn read_report(kind: &str, file_name: &str, path: &Path) -> Result<Option<Tests>, Error> {
    let open = || File::open(path).map_err(Error::file(path));
    match kind {
        "junit" => {
            let report = MultiGzDecoder::new(BufReader::new(open()?)).take(JUNIT_LIMIT);
            let mut failed = Vec::new();
            let totals = junit::totals_of(BufReader::new(report), |case| {
                let fails = matches!(case.status, TestStatus::Failed | TestStatus::Error);
                if fails && failed.len() < recent_failures::MOST_NOTED {
                    failed.push((case.classname, case.name));
                }
            });
            match totals {
                Ok(totals) => Ok(Some(Tests { totals, failed })),
                Err(error) => {
                    tracing::warn!(%error, file_name, "junit.unreadable");
                    Ok(None)
                }
            }
        }
        "dotenv" => {
            let refuse = |source: DotenvError| Error::Artifact {
                file_name: file_name.to_owned(),
                source,
            };
            let mut text = Vec::new();
            MultiGzDecoder::new(open()?)
                .take(dotenv::SIZE_LIMIT as u64 + 1)
                .read_to_end(&mut text)
                .map_err(|_| refuse(DotenvError::NotPacked))?;
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
