//! The runner's side of a pipeline: taking a job, its log, its result.

use std::path::PathBuf;
use std::sync::Arc;

use shipway_config::Job;
use shipway_pipeline::{Event, JobId, PipelineId, Status};
use shipway_protocol::{ArtifactsFile, Dependency, JobPayload, JobState, JobUpdate};
use shipway_store::{ArtifactRow, JobRow, ProjectId, RunnerRow, UserRow};

use crate::at_work::at_work;
use crate::claim::reason_only;
use crate::coordinator::{Boxed, Coordinator, iso, now};
use crate::error::Error;
use crate::given::Given;
use crate::id_tokens::Owner;
use crate::live::Live;
use crate::notice::Notice;
use crate::payload;
use crate::predefined::HandOut;
use crate::project_variables::VariableScope;
use crate::reports::{coverage, dotenv};
use crate::secrets;
use crate::settings::{DEFAULT_TIMEOUT, ProjectSettings};

/// A job token that opens nothing: in a local run there is no server to use it on.
const LOCAL_TOKEN: &str = "shipway-local-job-token";

/// Bytes read of a packed dotenv report; what is allowed of it unpacked is far less.
const PACKED_LIMIT: u64 = 1024 * 1024;

impl Coordinator {
    /// Gives the next pending job of the pipeline to a runner, if there is one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn take_job(
        &self,
        pipeline: PipelineId,
        runner: &str,
    ) -> Result<Option<JobPayload>, Error> {
        if self.is_closing() {
            return Ok(None);
        }
        loop {
            let next = {
                let live = self.load(pipeline).await?;
                let jobs = live.jobs.iter().zip(&live.state.jobs);
                let pending =
                    jobs.filter(|(job, state)| job.status == Status::Pending && !state.bridge);
                pending
                    .map(|(job, _)| job)
                    .min_by_key(|job| (job.stage, job.id))
                    .map(|job| job.id)
            };
            let Some(job) = next else {
                return Ok(None);
            };
            let taken = shipway_store::JobUpdate {
                runner: Some(runner.to_owned()),
                ..shipway_store::JobUpdate::default()
            };
            let started = |live: &Live| Ok(vec![Event::Started(live.current(job)?)]);
            match self.advance(pipeline, &started, &[(job, taken)]).await {
                Ok(_) => {
                    let receiver = Receiver {
                        runner: None,
                        name: runner,
                        token: LOCAL_TOKEN,
                    };
                    match self.payload(pipeline, job, &receiver).await {
                        Ok(payload) => return Ok(Some(payload)),
                        Err(error) => match error.of_job() {
                            Some(reason) => self.fails(pipeline, job, reason, &error).await?,
                            None => return Err(error),
                        },
                    }
                }
                // Somebody else was quicker; what is kept here is up to date now.
                Err(Error::Illegal(_) | Error::NoJob(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Lets a job fail that was handed out and lacks what it needs, and says so in its log.
    pub(crate) async fn fails(
        &self,
        pipeline: PipelineId,
        job: JobId,
        reason: &'static str,
        why: &Error,
    ) -> Result<(), Error> {
        let text = format!("{why}\n");
        self.store
            .logs()
            .append(pipeline, job, 0, text.as_bytes())?;
        let failed = |live: &Live| {
            Ok(vec![Event::Failed {
                job: live.current(job)?,
                reason: reason.to_owned(),
                exit_code: None,
            }])
        };
        let extra = [(job, reason_only(reason))];
        self.advance(pipeline, &failed, &extra).await.map(drop)
    }

    /// The stored files of jobs of one pipeline.
    pub(crate) async fn artifacts_for(
        &self,
        sources: &[Source],
    ) -> Result<Vec<ArtifactRow>, Error> {
        match sources.first() {
            None => Ok(Vec::new()),
            Some((row, _)) => Ok(self.store.artifacts_of_pipeline(row.pipeline_id).await?),
        }
    }

    /// Everything that the receiver needs to run the job, which is its own by now.
    pub(crate) fn payload<'a>(
        &'a self,
        pipeline: PipelineId,
        job: JobId,
        receiver: &'a Receiver<'_>,
    ) -> Boxed<'a, Result<JobPayload, Error>> {
        Box::pin(self.make_payload(pipeline, job, receiver))
    }

    async fn make_payload(
        &self,
        pipeline: PipelineId,
        job: JobId,
        receiver: &Receiver<'_>,
    ) -> Result<JobPayload, Error> {
        // The pipeline is not kept from others for the questions that follow.
        let (row, shared, own, spec, sources) = {
            let live = self.load(pipeline).await?;
            let index = live.current(job)?;
            let spec = Arc::clone(live.spec(index));
            let sources = upstream(&live, index);
            let shared = Arc::clone(&live.shared);
            (
                live.row.clone(),
                shared,
                live.jobs[index].clone(),
                spec,
                sources,
            )
        };
        let artifacts = self.artifacts_for(&sources).await?;
        let project = match row.project_id {
            Some(id) => self.store.project(id).await?,
            None => None,
        };
        let settings = project.as_ref().map(ProjectSettings::of);
        // Only of a job that can be given anything is it worth asking.
        let given = match matches!(own.when.as_str(), "manual" | "delayed") {
            false if spec.inputs.is_empty() => Given::default(),
            _ => self.given(&own).await?,
        };
        let spec = match spec.inputs.is_empty() {
            true => spec,
            false => Arc::new(spec.with_inputs(&given.inputs)?),
        };
        let token = receiver.token;
        let repository_url = match (&self.hosting, &project) {
            (Some(hosting), Some(project)) => hosting.address.clone_url(&project.full_path, token),
            _ => String::new(),
        };
        let default_timeout = settings
            .as_ref()
            .map_or(DEFAULT_TIMEOUT, |settings| settings.build_timeout);
        let runner_tags = match receiver.runner {
            Some(runner) => serde_json::from_str(&runner.tags).unwrap_or_default(),
            None => spec.tags.clone(),
        };
        let player = self.player(&own).await?;
        let started_at = now();
        let hand_out = HandOut {
            pipeline: pipeline.0,
            pipeline_iid: row.iid,
            pipeline_name: row.name.as_deref(),
            pipeline_created_at: &iso(row.created_at),
            job: job.0,
            started_at: &iso(started_at),
            timeout: receiver.timeout(spec.timeout.unwrap_or(default_timeout)),
            token,
            manual: matches!(own.when.as_str(), "manual" | "delayed"),
            project_url: shared.predefined("CI_PROJECT_URL"),
            runner_id: receiver.runner.map_or(1, |runner| runner.id.0),
            runner: receiver.name,
            runner_tags: &runner_tags,
            repository_url: &repository_url,
            user: player.as_ref(),
            id_tokens: &[],
        };
        let of = |row: &JobRow, kind: &str| -> Option<&ArtifactRow> {
            let fresh = |file: &&ArtifactRow| file.expires_at.is_none_or(|at| at > started_at);
            (artifacts.iter())
                .filter(fresh)
                .find(|file| file.job_id == row.id && file.file_type == kind)
        };
        let variables = self.dotenv_reports(&sources, &artifacts).await?;
        let dependency = |row: &JobRow, archive: &ArtifactRow| Dependency {
            id: row.id.0,
            name: row.name.clone(),
            token: token.to_owned(),
            artifacts_file: Some(ArtifactsFile {
                filename: archive.file_name.clone(),
                size: u64::try_from(archive.size).unwrap_or_default(),
            }),
        };
        let dependencies: Vec<Dependency> = (sources.iter())
            .filter_map(|(row, _)| Some(dependency(row, of(row, "archive")?)))
            .collect();
        let outer = match &project {
            Some(project) => {
                let environment = payload::environment_name(&spec, &shared, &hand_out);
                let scope = VariableScope {
                    protected: row.protected,
                    environment: environment.as_deref(),
                };
                self.project_variables(project.id, scope).await?
            }
            None => Vec::new(),
        };
        let given = given.variables;
        let (dotenv, given) = (variables, given.as_slice());
        let with = |hand_out: &HandOut<'_>| {
            payload::variables(&spec, &shared, &dotenv, &outer, given, hand_out)
        };
        let mut variables = with(&hand_out);
        let owner = project.as_ref().filter(|_| !spec.id_tokens.is_empty());
        if let Some(project) = owner {
            let owner = Owner {
                pipeline: &row,
                project,
            };
            let tokens = self.id_tokens(&spec, &shared, &owner, &hand_out, &variables);
            let tokens = tokens.await?;
            variables = with(&HandOut {
                id_tokens: &tokens,
                ..hand_out.clone()
            });
        }
        let mut dependencies = dependencies;
        for (row, archive) in self.cross_needed(&row, &spec, &variables).await? {
            dependencies.push(dependency(&row, &archive));
        }
        let mut payload = payload::payload(&spec, variables, dependencies, &shared, &hand_out);
        if let (Some(project), Some(settings)) = (&project, &settings) {
            let waited = own.queued_at.map_or(0, |since| started_at - since);
            payload::in_project(&mut payload, &row, project, settings, waited);
            payload.secrets = secrets::of_job(&spec, &payload.variables)?;
        } else {
            payload::in_local_run(&mut payload, &spec);
        }
        Ok(payload)
    }

    /// Who played or retried the job, where somebody did. Of most jobs it is not worth asking.
    async fn player(&self, job: &JobRow) -> Result<Option<UserRow>, Error> {
        if !job.triggered && job.attempt == 1 {
            return Ok(None);
        }
        match self.store.job_user(job.id).await? {
            Some(user) => Ok(self.store.user(user).await?),
            None => Ok(None),
        }
    }

    /// On whose behalf a job runs: who played or retried it, else the pipeline's user.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn user_of_job(&self, job: &JobRow) -> Result<Option<UserRow>, Error> {
        if let Some(player) = self.player(job).await? {
            return Ok(Some(player));
        }
        let pipeline = self.store.pipeline(job.pipeline_id).await?;
        match pipeline.and_then(|pipeline| pipeline.user_id) {
            Some(user) => Ok(self.store.user(user).await?),
            None => Ok(None),
        }
    }

    /// The variables of the reports that a job gets from those it builds on.
    pub(crate) async fn dotenv_of(
        &self,
        pipeline: PipelineId,
        job: JobId,
    ) -> Result<Vec<(String, String)>, Error> {
        let sources = {
            let live = self.load(pipeline).await?;
            upstream(&live, live.current(job)?)
        };
        let artifacts = self.artifacts_for(&sources).await?;
        self.dotenv_reports(&sources, &artifacts).await
    }

    async fn dotenv_reports(
        &self,
        sources: &[Source],
        artifacts: &[ArtifactRow],
    ) -> Result<Vec<(String, String)>, Error> {
        let now = now();
        let mut variables = Vec::new();
        for (row, _) in sources {
            let fresh = |file: &&ArtifactRow| file.expires_at.is_none_or(|at| at > now);
            let mut files = artifacts.iter().filter(fresh);
            let report = files.find(|file| file.job_id == row.id && file.file_type == "dotenv");
            if let Some(report) = report {
                variables.extend(self.read_dotenv(report).await?);
            }
        }
        Ok(variables)
    }

    async fn read_dotenv(&self, report: &ArtifactRow) -> Result<Vec<(String, String)>, Error> {
        use std::io::Read;
        use tokio::io::AsyncReadExt;
        let fault = Error::file(self.store.blobs().location(&report.path)?);
        let mut packed = Vec::new();
        let mut file = self.store.blobs().get(&report.path, ..PACKED_LIMIT).await?;
        let read = file.read_to_end(&mut packed).await;
        let mut text = Vec::new();
        read.and_then(|_| {
            flate2::read::MultiGzDecoder::new(packed.as_slice())
                .take(dotenv::SIZE_LIMIT as u64 + 1)
                .read_to_end(&mut text)
        })
        .map_err(fault)?;
        dotenv::parse(&text).map_err(|source| Error::Artifact {
            file_name: report.file_name.clone(),
            source,
        })
    }

    /// Appends to a job's log; what is returned is stored.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub async fn append_trace(&self, job: JobId, offset: u64, bytes: &[u8]) -> Result<u64, Error> {
        let pipeline = self.pipeline_of(job).await?;
        let stored = self.store.logs().append(pipeline, job, offset, bytes)?;
        self.publish(Notice::Trace { job, stored });
        Ok(stored)
    }

    /// Takes a job's result, and with it the coverage from its log.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn update_job(&self, job: JobId, update: &JobUpdate) -> Result<(), Error> {
        self.report(job, update).await.map(drop)
    }

    /// As [`Self::update_job`]; returns what happened to the job, which is nothing where it goes
    /// on.
    pub(crate) async fn report(&self, job: JobId, update: &JobUpdate) -> Result<Vec<Event>, Error> {
        let pipeline = self.pipeline_of(job).await?;
        let (canceling, pattern, log) = {
            let live = self.load(pipeline).await?;
            let index = at_work(&live, job)?;
            let canceling = live.jobs[index].status == Status::Canceling;
            let log = self.store.logs().path(pipeline, job);
            let pattern = match (live.spec(index).coverage.clone(), live.row.project_id) {
                (None, Some(project)) => self.project_coverage(project).await?,
                (pattern, _) => pattern,
            };
            (canceling, pattern, log)
        };
        if !matches!(update.state, JobState::Success | JobState::Failed) {
            return Ok(Vec::new());
        }
        let mut extra = shipway_store::JobUpdate {
            exit_code: update.exit_code.map(i64::from),
            ..shipway_store::JobUpdate::default()
        };
        // A job that was asked to stop did not fail, whatever its runner says.
        if update.state == JobState::Failed && !canceling {
            let reason = update.failure_reason;
            let reason = reason.map_or("unknown_failure", |reason| reason.as_str());
            extra.failure_reason = Some(reason.to_owned());
        }
        if let Some(pattern) = pattern {
            extra.coverage = read_coverage(pattern, log).await;
        }
        let reason = extra.failure_reason.clone().unwrap_or_default();
        let exit_code = update.exit_code;
        let ended = |live: &Live| {
            let index = at_work(live, job)?;
            let event = if live.state.jobs[index].status == Status::Canceling {
                Event::Canceled(index)
            } else if update.state == JobState::Success {
                Event::Succeeded(index)
            } else {
                Event::Failed {
                    job: index,
                    reason: reason.clone(),
                    exit_code,
                }
            };
            Ok(vec![event])
        };
        self.advance(pipeline, &ended, &[(job, extra)]).await
    }

    /// The regular expression for jobs that have none of their own.
    async fn project_coverage(&self, project: ProjectId) -> Result<Option<String>, Error> {
        let row = self.store.project(project).await?;
        let regex = row.map(|row| ProjectSettings::of(&row).build_coverage_regex);
        Ok(regex.filter(|regex| !regex.is_empty()))
    }

    pub(crate) async fn pipeline_of(&self, job: JobId) -> Result<PipelineId, Error> {
        if let Some(pipeline) = self.kept.at_work.pipeline_of(job) {
            return Ok(pipeline);
        }
        let row = self.store.job(job).await?;
        row.map(|row| row.pipeline_id).ok_or(Error::NoJob(job))
    }
}

/// Whom a job is handed to, and with what token.
pub(crate) struct Receiver<'a> {
    /// None in a local run.
    runner: Option<&'a RunnerRow>,
    name: &'a str,
    token: &'a str,
}

impl<'a> Receiver<'a> {
    /// A runner of a server.
    pub(crate) fn of(runner: &'a RunnerRow, token: &'a str) -> Self {
        Self {
            runner: Some(runner),
            name: &runner.description,
            token,
        }
    }

    /// For a job that no runner takes.
    pub(crate) fn nobody() -> Self {
        Self {
            runner: None,
            name: "",
            token: LOCAL_TOKEN,
        }
    }

    /// A time limit in seconds, as far as the runner allows it.
    fn timeout(&self, wanted: u64) -> u64 {
        let maximum = self.runner.and_then(|runner| runner.maximum_timeout);
        let maximum = maximum.and_then(|seconds| u64::try_from(seconds).ok());
        wanted.min(maximum.filter(|seconds| *seconds > 0).unwrap_or(u64::MAX))
    }
}

/// A job whose artifacts another gets.
pub(crate) type Source = (JobRow, Arc<Job>);

/// The jobs whose artifacts a job gets, as far as they make any: those of `needs`, or of
/// `dependencies`, or all of earlier stages (language inventory, 1.7 and 1.10).
pub(crate) fn upstream(live: &Live, index: usize) -> Vec<Source> {
    let own = live.state.jobs[index].stage;
    let spec = live.spec(index);
    let mut sources: Vec<Source> = (live.jobs.iter().zip(&live.state.jobs).enumerate())
        .filter(|(source, _)| live.spec(*source).artifacts.is_some())
        .filter(|(_, (row, state))| {
            let listed = |names: &Vec<String>| names.contains(&row.name);
            match (&spec.needs, &spec.dependencies) {
                (Some(needs), dependencies) => {
                    (needs.iter()).any(|need| need.job == row.name && need.artifacts)
                        && dependencies.as_ref().is_none_or(listed)
                }
                (None, Some(dependencies)) => listed(dependencies),
                (None, None) => state.stage < own,
            }
        })
        .map(|(source, (row, _))| (row.clone(), Arc::clone(live.spec(source))))
        .collect();
    sources.sort_by_key(|(row, _)| (row.stage, row.id));
    sources
}

/// A log that cannot be read has no coverage; the job's result does not depend on it.
async fn read_coverage(pattern: String, log: PathBuf) -> Option<f64> {
    let read = tokio::task::spawn_blocking(move || coverage::from_log(&pattern, &log));
    match read.await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            tracing::warn!(%error, "coverage.unreadable");
            None
        }
        Err(error) => {
            tracing::warn!(%error, "coverage.failed");
            None
        }
    }
}
