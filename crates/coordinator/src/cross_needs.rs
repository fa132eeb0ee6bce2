//! `needs` of jobs in other pipelines: whose archives a job gets besides those of its own
//! pipeline (language inventory, 6.6).

use shipway_config::variables::{Collection, FileReferences, Undefined};
use shipway_config::{CrossNeed, Job};
use shipway_pipeline::{PipelineId, Status};
use shipway_protocol::{JobPayload, Variable};
use shipway_store::{ArtifactRow, JobRow, PipelineRow, Visibility};

use crate::artifacts::may_fetch;
use crate::coordinator::{Coordinator, now};
use crate::downstream::REPORTER;
use crate::error::Error;
use crate::hand_out::Receiver;
use crate::settings::ProjectSettings;

impl Coordinator {
    /// The archives of other pipelines that the job names.
    ///
    /// # Errors
    /// [`Error::MissingDependency`] when one that is not optional is not to be had.
    pub(crate) async fn cross_needed(
        &self,
        row: &PipelineRow,
        job: &Job,
        variables: &[Variable],
    ) -> Result<Vec<(JobRow, ArtifactRow)>, Error> {
        let mut found = Vec::new();
        if job.cross_needs.is_empty() {
            return Ok(found);
        }
        let mut known = Collection::default();
        known.extend(variables.iter().map(|variable| {
            shipway_config::variables::Variable::new(&variable.key, &variable.value)
        }));
        let expand = |text: &str| known.expand(text, Undefined::Empty, FileReferences::Keep);
        for need in &job.cross_needs {
            let (source, what, optional, artifacts) = match need {
                CrossNeed::Pipeline {
                    pipeline,
                    job,
                    artifacts,
                    optional,
                } => {
                    let (pipeline, job) = (expand(pipeline), expand(job));
                    let source = self.of_hierarchy(row, &pipeline, &job).await?;
                    let what = format!("job {job} of pipeline {pipeline}");
                    (source, what, *optional, *artifacts)
                }
                CrossNeed::Project {
                    project,
                    job,
                    git_ref,
                    artifacts,
                    optional,
                } => {
                    let (project, job) = (expand(project), expand(job));
                    let git_ref = expand(git_ref);
                    let source = self.of_project(row, &project, &git_ref, &job).await?;
                    let what = format!("job {job} of {git_ref} in {project}");
                    (source, what, *optional, *artifacts)
                }
            };
            let archive = match &source {
                Some(source) => self.fresh_archive(source).await?,
                None => None,
            };
            match (source, archive) {
                _ if !artifacts => {}
                (Some(source), Some(archive)) => found.push((source, archive)),
                _ if optional => {}
                _ => {
                    let job = job.name.clone();
                    return Err(Error::MissingDependency { job, what });
                }
            }
        }
        Ok(found)
    }

    /// A successful job of another pipeline that comes of the same one.
    async fn of_hierarchy(
        &self,
        row: &PipelineRow,
        pipeline: &str,
        job: &str,
    ) -> Result<Option<JobRow>, Error> {
        let Ok(number) = pipeline.parse() else {
            return Ok(None);
        };
        let other = PipelineId(number);
        if other == row.id || self.root_of(other).await? != self.root_of(row.id).await? {
            return Ok(None);
        }
        let jobs = self.store.jobs(other).await?.into_iter();
        let mut jobs = jobs.filter(|found| !found.retried && found.name == job);
        Ok(jobs.find(|job| job.status == Status::Success))
    }

    async fn root_of(&self, pipeline: PipelineId) -> Result<PipelineId, Error> {
        let above = self.store.upstream(pipeline).await?;
        Ok(above.map_or(pipeline, |row| row.root_id))
    }

    /// The newest successful job of a project's ref, if the pipeline's user may read it.
    async fn of_project(
        &self,
        row: &PipelineRow,
        project: &str,
        git_ref: &str,
        job: &str,
    ) -> Result<Option<JobRow>, Error> {
        let found = self.other_project(row.user_id, project).await?;
        let Ok((project, _, level)) = found else {
            return Ok(None);
        };
        let open =
            project.visibility != Visibility::Private && ProjectSettings::of(&project).public_jobs;
        if level < REPORTER && !open {
            return Ok(None);
        }
        let newest = self.store.newest_success(project.id, git_ref, job);
        Ok(newest.await?)
    }

    async fn fresh_archive(&self, job: &JobRow) -> Result<Option<ArtifactRow>, Error> {
        let now = now();
        let files = self.store.artifacts_of(job.id).await?.into_iter();
        let mut files = files.filter(|file| file.expires_at.is_none_or(|at| at > now));
        Ok(files.find(|file| file.file_type == "archive"))
    }

    /// Whether a job at work may fetch the archive of another by its token: those of its own
    /// pipeline, and those of other pipelines that its `needs` name.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn may_fetch(&self, asking: &JobRow, wanted: &JobRow) -> Result<bool, Error> {
        if may_fetch(asking, wanted) {
            return Ok(true);
        }
        if crate::live::spec(asking)?.cross_needs.is_empty() {
            return Ok(false);
        }
        let receiver = Receiver::nobody();
        let payload = self.payload(asking.pipeline_id, asking.id, &receiver).await;
        let named = |payload: JobPayload| {
            let mut named = payload.dependencies.iter();
            named.any(|dependency| dependency.id == wanted.id.0)
        };
        match payload {
            Ok(payload) => Ok(named(payload)),
            Err(Error::MissingDependency { .. } | Error::NoJob(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
