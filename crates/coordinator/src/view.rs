//! A pipeline as it is shown: one answer with everything a summary, a report or a page needs.

use std::path::PathBuf;
use std::time::Duration;

use shipway_config::variables::Variable;
use shipway_pipeline::{JobId, PipelineId, State, Status};
use shipway_store::{ArtifactRow, JobRow, PipelineRow};

use crate::error::Error;
use crate::live::Live;
use crate::payload::Shared;
use crate::reports::junit::TestTotals;

/// A pipeline with its newest attempts.
#[derive(Debug, Clone)]
pub struct PipelineView {
    /// Its id.
    pub id: PipelineId,
    /// Its status.
    pub status: Status,
    /// Branch, tag or commit.
    pub ref_name: String,
    /// The commit.
    pub sha: String,
    /// When it was created, microseconds since 1970.
    pub created_at: i64,
    /// How long something ran: the union of the jobs' intervals.
    pub duration: Duration,
    /// Mean of the coverage of its jobs that have one.
    pub coverage: Option<f64>,
    /// Stages in order with their statuses.
    pub stages: Vec<(String, Status)>,
    /// Jobs by stage, then in the order of the file.
    pub jobs: Vec<JobView>,
}

/// A job of a [`PipelineView`].
#[derive(Debug, Clone)]
pub struct JobView {
    /// The id of its newest attempt.
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// Index of its stage.
    pub stage: usize,
    /// Its status.
    pub status: Status,
    /// Its failure is overlooked.
    pub allow_failure: bool,
    /// It waits for a person once it is its turn.
    pub manual: bool,
    /// GitLab's name of the reason.
    pub failure_reason: Option<String>,
    /// The script's exit code.
    pub exit_code: Option<i32>,
    /// Microseconds since 1970.
    pub started_at: Option<i64>,
    /// Microseconds since 1970.
    pub finished_at: Option<i64>,
    /// Percent.
    pub coverage: Option<f64>,
    /// Sum of its JUnit reports.
    pub tests: Option<TestTotals>,
    /// Tags of its runner.
    pub tags: Vec<String>,
    /// How many attempts came before.
    pub retries: u32,
    /// The file with its log.
    pub log: PathBuf,
    /// Archive and reports.
    pub artifacts: Vec<ArtifactView>,
}

/// An artifact of a [`JobView`].
#[derive(Debug, Clone)]
pub struct ArtifactView {
    /// `archive`, `junit` and so on.
    pub kind: String,
    /// Its file name.
    pub file_name: String,
    /// Bytes.
    pub size: u64,
    /// Where it is.
    pub path: PathBuf,
}

impl JobView {
    /// How long it ran, as far as it did.
    pub fn duration(&self) -> Option<Duration> {
        Some(between(self.started_at?, self.finished_at?))
    }

    /// It failed and that counts.
    pub fn failed(&self) -> bool {
        self.status == Status::Failed && !self.allow_failure
    }
}

impl crate::Coordinator {
    /// A pipeline with everything worth showing.
    ///
    /// # Errors
    /// When there is none of this id, or the store fails.
    pub async fn view(&self, pipeline: PipelineId) -> Result<PipelineView, Error> {
        let row = self.store.pipeline(pipeline).await?;
        let row = row.ok_or(Error::NoPipeline(pipeline.0))?;
        let stages = self.store.stages(pipeline).await?;
        let rows = self.store.jobs(pipeline).await?;
        let files = self.store.artifacts_of_pipeline(pipeline).await?;
        let mut jobs = Vec::new();
        for row in rows.iter().filter(|row| !row.retried) {
            jobs.push(self.job_view(row, &files)?);
        }
        jobs.sort_by_key(|job| job.stage);
        let intervals = (jobs.iter())
            .filter_map(|job| job.started_at.zip(job.finished_at))
            .collect();
        Ok(PipelineView {
            id: pipeline,
            status: row.status,
            ref_name: row.ref_name,
            sha: row.sha.unwrap_or_default(),
            created_at: row.created_at,
            duration: union(intervals),
            coverage: mean(jobs.iter().filter_map(|job| job.coverage)),
            stages: stages
                .into_iter()
                .map(|stage| (stage.name, stage.status))
                .collect(),
            jobs,
        })
    }

    /// The state of a pipeline as it is stored, without keeping others from it: what
    /// [`shipway_pipeline::waiting`] is asked with.
    ///
    /// # Errors
    /// When there is none of this id, or the store fails.
    pub async fn state(&self, pipeline: PipelineId) -> Result<State, Error> {
        let row = self.store.pipeline(pipeline).await?;
        let row = row.ok_or(Error::NoPipeline(pipeline.0))?;
        let stages = self.store.stages(pipeline).await?;
        let jobs = self.store.jobs(pipeline).await?;
        let variables = self.store.pipeline_variables(pipeline).await?;
        Ok(Live::new(None, row, &variables, &stages, jobs)?.state)
    }

    /// The pipeline's own variables: what its push, trigger, schedule or starter gave it.
    ///
    /// # Errors
    /// When the store fails, or has other keys than they were sealed with.
    pub async fn own_variables(&self, pipeline: &PipelineRow) -> Result<Vec<Variable>, Error> {
        let stored = self.store.pipeline_variables(pipeline.id).await?;
        let shared = Shared::read(&pipeline.context, &stored);
        Ok(shared.map_err(Error::stored("context", JobId(0)))?.outer)
    }

    /// The value of a predefined variable of the pipeline; none where it is not defined.
    pub fn predefined_variable(&self, pipeline: &PipelineRow, key: &str) -> Option<String> {
        let shared: Shared = serde_json::from_str(&pipeline.context).ok()?;
        let value = shared.predefined(key);
        (!value.is_empty()).then(|| value.to_owned())
    }

    fn job_view(&self, row: &JobRow, files: &[ArtifactRow]) -> Result<JobView, Error> {
        let mut artifacts = Vec::new();
        for file in files.iter().filter(|file| file.job_id == row.id) {
            artifacts.push(ArtifactView {
                kind: file.file_type.clone(),
                file_name: file.file_name.clone(),
                size: u64::try_from(file.size).unwrap_or_default(),
                path: self.store.blobs().location(&file.path)?,
            });
        }
        let tests = row
            .tests
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok());
        Ok(JobView {
            id: row.id,
            name: row.name.clone(),
            stage: usize::try_from(row.stage).unwrap_or_default(),
            status: row.status,
            allow_failure: row.allow_failure,
            manual: row.when == "manual",
            failure_reason: row.failure_reason.clone(),
            exit_code: row.exit_code.and_then(|code| i32::try_from(code).ok()),
            started_at: row.started_at,
            finished_at: row.finished_at,
            coverage: row.coverage,
            tests,
            tags: serde_json::from_str(&row.tags).unwrap_or_default(),
            retries: u32::try_from(row.attempt - 1).unwrap_or_default(),
            log: self.store.logs().path(row.pipeline_id, row.id),
            artifacts,
        })
    }
}

fn between(start: i64, end: i64) -> Duration {
    Duration::from_micros(u64::try_from(end - start).unwrap_or_default())
}

/// How long at least one of the intervals lasted (language inventory, 5.10).
pub(crate) fn union(mut intervals: Vec<(i64, i64)>) -> Duration {
    intervals.sort_unstable();
    let mut total = Duration::ZERO;
    let mut covered = i64::MIN;
    for (start, end) in intervals {
        let start = start.max(covered);
        if end > start {
            total += between(start, end);
            covered = end;
        }
    }
    total
}

/// Mean of the coverage of jobs that have one.
pub(crate) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0_u32, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_intervals_count_once() {
        let table: [(&[(i64, i64)], u64); 5] = [
            (&[], 0),
            (&[(0, 5)], 5),
            (&[(0, 5), (3, 8)], 8),
            (&[(10, 12), (0, 5)], 7),
            (&[(0, 9), (2, 3), (9, 9)], 9),
        ];
        for (intervals, expected) in table {
            assert_eq!(union(intervals.to_vec()).as_micros(), u128::from(expected));
        }
    }

    #[test]
    fn mean_of_what_there_is() {
        assert_eq!(mean([].into_iter()), None);
        assert_eq!(mean([100.0, 50.0].into_iter()), Some(75.0));
    }
}
