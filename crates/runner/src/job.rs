//! The life of one job: every stage in its order, and what follows from each one's failure.

use std::time::Duration;

use futures_util::future::BoxFuture;
use shipway_protocol::JobPayload;
use tokio::time::Instant;

use crate::clone_path;
use crate::config::RunnerConfig;
use crate::control::{Control, Request};
use crate::directory::{self, DirectoryError, JobDirectory, Slots};
use crate::executor::{DockerExecutor, Executor, JobPaths, ShellExecutor, StageEnd};
use crate::failure::{Failure, JobOutcome, with_causes};
use crate::failure_shell::FailureShell;
use crate::git::Address;
use crate::log::Log;
use crate::mask::Masker;
use crate::predefined::{Kind, is_on, job_variables};
use crate::runner::Sources;
use crate::source::Source;
use crate::stage::{Stage, blocking, executor_failure};
use crate::sticky::Sticky;
use crate::timeouts;
use crate::trace::Trace;
use crate::variables::Variables;
use std::sync::Arc;

/// A person who looks for what made a job fail may take so long.
const LONGEST_LOOK: Duration = Duration::from_secs(24 * 3600);
/// Between two looks whether a workspace is free.
const WORKSPACE_LOOK: Duration = Duration::from_millis(100);

/// What the log of a job must not show.
fn masker(variables: &Variables, payload: &JobPayload) -> Masker {
    let mut masked = variables.masked_values();
    let address = Address::parse(&payload.git_info.repo_url);
    masked.extend(address.secret().map(str::to_owned));
    Masker::new(&masked, &payload.features.token_mask_prefixes)
}

/// How a job ended.
pub(crate) struct Ended {
    pub(crate) outcome: JobOutcome,
    /// Ends when the job's slot is free. The directories are emptied without waiting for it.
    pub(crate) releasing: BoxFuture<'static, ()>,
}

/// One job, being run.
pub(crate) struct Job<'a> {
    pub(crate) config: &'a RunnerConfig,
    slots: Arc<Slots>,
    pub(crate) payload: &'a JobPayload,
    pub(crate) sources: &'a Sources,
    pub(crate) source: &'a dyn Source,
    pub(crate) log: Log,
    pub(crate) control: Control,
    pub(crate) kind: Kind,
    /// The directory is a workspace that jobs share.
    pub(crate) sticky: Option<Sticky>,
    /// The bucket of caches did not answer in this stage.
    #[cfg(feature = "s3")]
    pub(crate) bucket_is_away: bool,
    pub(crate) directory: Result<JobDirectory, DirectoryError>,
    pub(crate) paths: JobPaths,
    pub(crate) variables: Variables,
    pub(crate) timeout: Duration,
    pub(crate) deadline: Instant,
}

impl<'a> Job<'a> {
    /// Takes the slot and works out the job's variables; trouble shows when it is run.
    pub(crate) async fn new(
        (config, slots): (&'a RunnerConfig, &Arc<Slots>),
        payload: &'a JobPayload,
        sources: &'a Sources,
        source: &'a dyn Source,
        slot: u32,
        trace: &Trace,
        control: Control,
    ) -> Self {
        let mut timeout = timeouts::job_timeout(payload.runner_info.timeout);
        let shell = config.failure_shell.as_ref();
        if shell.is_some_and(|shell| shell.is_for(&payload.job_info.name)) {
            timeout = timeout.max(LONGEST_LOOK);
        }
        let deadline = Instant::now() + timeout;
        let kind = Kind::choose(config.executor, payload.image.is_some());
        let full_path = &payload.job_info.project_full_path;
        let (sticky, directory) = match Sticky::of(&payload.variables) {
            Ok(None) => (None, claim(slots, slot, full_path).await),
            Ok(Some(sticky)) => {
                let wait = Wait {
                    slots,
                    trace,
                    control: &control,
                    deadline,
                };
                (Some(sticky), wait.for_workspace(sticky, payload).await)
            }
            Err(value) => (None, Err(DirectoryError::Sticky { value })),
        };
        let mut directory = directory;
        let mut paths = match (&directory, kind) {
            (Ok(directory), Kind::Shell) => {
                JobPaths::on_host(&config.builds_dir, &directory.project, &directory.temporary)
            }
            _ => JobPaths::in_container(full_path),
        };
        let mut variables = job_variables(config, payload, kind, slot, timeout, &paths);
        let wanted = variables.get("GIT_CLONE_PATH");
        if !wanted.is_empty() && directory.is_ok() {
            let allowed = config.custom_build_dir;
            directory = match (
                directory,
                clone_path::check(&wanted, &paths.builds, allowed),
            ) {
                (Err(error), _) => Err(error),
                (Ok(claimed), Ok(path)) => {
                    paths.temporary = format!("{path}.tmp");
                    paths.project.clone_from(&path);
                    variables = job_variables(config, payload, kind, slot, timeout, &paths);
                    match kind {
                        Kind::Docker => Ok(claimed),
                        Kind::Shell => relocate(slots, claimed, path).await,
                    }
                }
                (Ok(claimed), Err(error)) => {
                    release(Arc::clone(slots), Some(claimed)).await;
                    Err(error.into())
                }
            };
        }
        if is_on(&variables.get("FF_TIMESTAMPS")) {
            trace.stamp();
        }
        let masker = masker(&variables, payload);
        Self {
            config,
            slots: Arc::clone(slots),
            payload,
            sources,
            source,
            log: Log::new(trace.clone(), masker, payload.features.trace_sections),
            control,
            kind,
            sticky,
            #[cfg(feature = "s3")]
            bucket_is_away: false,
            directory,
            paths,
            variables,
            timeout,
            deadline,
        }
    }

    /// Runs the job to its end.
    pub(crate) async fn run(mut self) -> Ended {
        self.log
            .line(&format!(
                "Running with {} {}",
                self.config.name, self.config.version
            ))
            .await;
        self.log
            .line(&format!("  on {}", self.config.description))
            .await;
        let resolved = self.resolve_secrets().await;
        let result = match &self.directory {
            _ if resolved.is_err() => resolved,
            Err(error) => self
                .check_time(Request::Cancel)
                .and_then(|()| Err(Failure::system(error))),
            Ok(directory) => match self.kind {
                Kind::Shell => {
                    let executor = ShellExecutor::new(self.config, &directory.slot);
                    self.run_with(executor).await
                }
                Kind::Docker => {
                    let objects = match self.sources {
                        Sources::Directory { git_objects, .. } => git_objects.as_deref(),
                        _ => None,
                    };
                    let executor = DockerExecutor::new(
                        self.config,
                        self.payload,
                        &self.variables,
                        &self.paths,
                        directory,
                        objects,
                    );
                    self.run_with(executor).await
                }
            },
        };
        let releasing = release(self.slots, self.directory.ok());
        let outcome = match result {
            Ok(()) => {
                self.log.info("Job succeeded").await;
                JobOutcome::success()
            }
            Err(failure) => {
                self.log.error(&failure.last_line(self.timeout)).await;
                failure.outcome()
            }
        };
        Ended { outcome, releasing }
    }

    /// Keeps from the log what is secret among the variables by now.
    pub(crate) fn mask_variables(&mut self) {
        self.log.mask_with(masker(&self.variables, self.payload));
    }

    async fn run_with<E: Executor>(&mut self, mut executor: E) -> Result<(), Failure> {
        let result = self.stages(&mut executor).await;
        if let Err(error) = executor.cleanup().await {
            tracing::warn!(error = with_causes(&error), "executor not cleaned up");
        }
        result
    }

    async fn stages<E: Executor>(&mut self, executor: &mut E) -> Result<(), Failure> {
        self.check_time(Request::Cancel)?;
        self.prepare(executor).await?;
        let mut result = self.before_scripts(executor).await;
        let prepared = result.is_ok();
        if prepared {
            result = self.scripts(executor).await;
        }
        if prepared && result.as_ref().err().is_none_or(Failure::runs_after_script) {
            let after = self.after_script(executor, &result).await;
            // A job that failed already keeps its first failure, unless nothing may go on.
            if result.is_ok() || after.as_ref().err().is_some_and(Failure::halts) {
                result = after;
            }
        }
        if let Err(error) = executor.reclaim().await {
            if error.loses_files() && result.is_ok() {
                result = Err(executor_failure(error));
            } else {
                self.log.warning(&with_causes(&error)).await;
            }
        }
        // Cancelled before its script, the job has nothing to hand over.
        let canceled_early = !prepared && result == Err(Failure::Canceled);
        if !canceled_early && !result.as_ref().err().is_some_and(Failure::halts) {
            // Both look at the same result; the first failure is the job's.
            let success = result.is_ok();
            for archived in [
                self.save_caches(success).await,
                self.upload_artifacts(success).await,
            ] {
                let halts = archived.as_ref().err().is_some_and(Failure::halts);
                if result.is_ok() || halts {
                    result = archived;
                }
            }
        }
        self.cleanup_section().await;
        result
    }

    /// `prepare_executor` and `prepare_script`.
    async fn prepare<E: Executor>(&mut self, executor: &mut E) -> Result<(), Failure> {
        let heading = format!("Preparing the \"{}\" executor", E::NAME);
        self.log.open_section("prepare_executor", &heading).await;
        let prepared = tokio::select! {
            prepared = executor.prepare(&mut self.log) => prepared.map_err(executor_failure),
            () = self.control.reached(Request::Cancel) => Err(Failure::Canceled),
            () = tokio::time::sleep_until(self.deadline) => Err(Failure::JobTimeout),
        };
        if let (Kind::Shell, Some(image)) = (self.kind, &self.payload.image) {
            let image = self.variables.expand(&image.name);
            self.log
                .warning(&format!(
                    "image {image} is not used: this job runs in a shell of this machine"
                ))
                .await;
        }
        if self.kind == Kind::Shell && !self.payload.services.is_empty() {
            self.log
                .warning("services are not started: this job runs in a shell of this machine")
                .await;
        }
        self.log.close_section("prepare_executor").await;
        prepared?;
        self.log
            .open_section("prepare_script", "Preparing environment")
            .await;
        self.log.line(&executor.place()).await;
        self.log.close_section("prepare_script").await;
        Ok(())
    }

    /// Sources, caches, artifacts of other jobs.
    async fn before_scripts<E: Executor>(&mut self, executor: &mut E) -> Result<(), Failure> {
        self.get_sources(executor).await?;
        self.check_time(Request::Cancel)?;
        self.restore_caches().await?;
        self.check_time(Request::Cancel)?;
        self.download_artifacts().await?;
        self.check_time(Request::Cancel)?;
        executor.files_are_settled();
        if executor.runs_as_other_user() {
            let directory = self.directory()?;
            let (project, temporary) = (directory.project.clone(), directory.temporary.clone());
            blocking(move || {
                directory::open_to_everyone(&project)?;
                directory::open_to_everyone(&temporary)
            })
            .await
            .map_err(|error| Failure::system(&error))?;
        }
        Ok(())
    }

    /// Every step but `after_script`, until one fails.
    async fn scripts<E: Executor>(&mut self, executor: &mut E) -> Result<(), Failure> {
        let (limit, warning) = self.stage_timeout("RUNNER_SCRIPT_TIMEOUT", None);
        if let Some(warning) = warning {
            self.log.warning(&warning).await;
        }
        let deadline = self.stage_deadline(limit);
        let payload = self.payload;
        for step in &payload.steps {
            if step.name == "after_script" || step.script.is_empty() {
                continue;
            }
            let name = format!("step_{}", step.name.to_lowercase());
            // The runner itself expands the lines of `release`, as GitLab's does.
            let expanded: Vec<String>;
            let commands = if step.name == "release" {
                expanded = step
                    .script
                    .iter()
                    .map(|line| self.variables.expand(line))
                    .collect();
                &expanded
            } else {
                &step.script
            };
            let with_hooks = self.with_build_scripts(commands);
            let heading = format!("Executing \"{name}\" stage of the job script");
            self.log.open_section(&name, &heading).await;
            let stage = Stage {
                commands: &with_hooks,
                sections: "script_step",
                announcement: None,
                status: "running",
                deadline,
                stop_on: Request::Cancel,
                failure_shell: self.failure_shell(),
            };
            let end = self.run_stage(executor, stage).await;
            if matches!(end, Ok(StageEnd::Canceled)) {
                self.log
                    .warning("script canceled externally (UI, API)")
                    .await;
            }
            self.warn_of_timeout(&name, &end).await;
            self.log.close_section(&name).await;
            self.check(end?, deadline)?;
        }
        Ok(())
    }

    /// Whoever wants a shell where this job fails.
    fn failure_shell(&self) -> Option<&'a FailureShell> {
        let shell = self.config.failure_shell.as_deref();
        shell.filter(|shell| shell.is_for(&self.payload.job_info.name))
    }

    /// The commands of a step between those the runner's configuration adds.
    fn with_build_scripts(&self, commands: &[String]) -> Vec<String> {
        let scripts = &self.config.scripts;
        let before = scripts.pre_build.iter();
        let after = scripts.post_build.iter();
        before.chain(commands).chain(after).cloned().collect()
    }

    async fn after_script<E: Executor>(
        &mut self,
        executor: &mut E,
        result: &Result<(), Failure>,
    ) -> Result<(), Failure> {
        let payload = self.payload;
        let Some(step) = payload
            .steps
            .iter()
            .find(|step| step.name == "after_script" && !step.script.is_empty())
        else {
            return Ok(());
        };
        self.log
            .open_section("after_script", "Running after_script")
            .await;
        let (limit, warning) = self.stage_timeout(
            "RUNNER_AFTER_SCRIPT_TIMEOUT",
            Some(timeouts::AFTER_SCRIPT_TIMEOUT),
        );
        if let Some(warning) = warning {
            self.log.warning(&warning).await;
        }
        let deadline = self.stage_deadline(limit);
        let stage = Stage {
            commands: &step.script,
            sections: "after_script_step",
            announcement: Some("Running after script..."),
            status: result.as_ref().err().map_or("success", Failure::status),
            deadline,
            stop_on: Request::Abort,
            failure_shell: None,
        };
        let end = self.run_stage(executor, stage).await;
        self.warn_of_timeout("after_script", &end).await;
        let after = match end {
            Ok(end) => self.check(end, deadline),
            Err(failure) => Err(failure),
        };
        let after = match after {
            Err(failure) if failure.halts() => Err(failure),
            Err(failure) if self.variables.get("AFTER_SCRIPT_IGNORE_ERRORS") == "false" => {
                Err(failure)
            }
            Err(failure) => {
                let line = failure.last_line(self.timeout);
                let cause = line
                    .split_once(": ")
                    .map_or(line.as_str(), |(_, cause)| cause);
                self.log
                    .warning(&format!(
                        "after_script failed, but job will continue unaffected: {cause}"
                    ))
                    .await;
                Ok(())
            }
            Ok(()) => Ok(()),
        };
        self.log.close_section("after_script").await;
        after
    }

    async fn cleanup_section(&mut self) {
        let name = "cleanup_file_variables";
        let heading = "Cleaning up project directory and file based variables";
        self.log.open_section(name, heading).await;
        self.log.close_section(name).await;
    }

    pub(crate) fn directory_mut(&mut self) -> Result<&mut JobDirectory, Failure> {
        self.directory
            .as_mut()
            .map_err(|error| Failure::system(&*error))
    }

    pub(crate) fn directory(&self) -> Result<&JobDirectory, Failure> {
        self.directory
            .as_ref()
            .map_err(|error| Failure::system(error))
    }
}

async fn claim(
    slots: &Arc<Slots>,
    slot: u32,
    full_path: &str,
) -> Result<JobDirectory, DirectoryError> {
    if let Some(directory) = slots.claim_ready(slot, full_path) {
        return Ok(directory);
    }
    let (slots, full_path) = (Arc::clone(slots), full_path.to_owned());
    blocking(move || slots.claim(slot, &full_path)).await
}

/// Moves the project out of the slot to where the job wants it.
async fn relocate(
    slots: &Arc<Slots>,
    directory: JobDirectory,
    path: String,
) -> Result<JobDirectory, DirectoryError> {
    let slots = Arc::clone(slots);
    blocking(move || slots.relocate(directory, path.into())).await
}

/// What a job needs that waits for a workspace.
struct Wait<'a> {
    slots: &'a Arc<Slots>,
    trace: &'a Trace,
    control: &'a Control,
    deadline: Instant,
}

impl Wait<'_> {
    /// Until the workspace is free, the job is cancelled, or its time is up.
    async fn for_workspace(
        self,
        sticky: Sticky,
        payload: &JobPayload,
    ) -> Result<JobDirectory, DirectoryError> {
        let name = sticky.workspace(payload);
        let mut control = self.control.clone();
        let mut is_told = false;
        loop {
            let (slots, name) = (Arc::clone(self.slots), name.clone());
            let full_path = payload.job_info.project_full_path.clone();
            let claimed = blocking(move || slots.claim_workspace(&name, &full_path)).await?;
            if let Some(directory) = claimed {
                return Ok(directory);
            }
            if !is_told {
                is_told = true;
                let text = format!(
                    "Waiting for the workspace of the {}: another job is in it",
                    sticky.owner()
                );
                // Nothing to be masked is in this line.
                let mut log = Log::new(self.trace.clone(), Masker::new(&[], &[]), false);
                log.line(&text).await;
            }
            tokio::select! {
                () = tokio::time::sleep(WORKSPACE_LOOK) => {}
                () = control.reached(Request::Cancel) => return Err(DirectoryError::NoWorkspace),
                () = tokio::time::sleep_until(self.deadline) => {
                    return Err(DirectoryError::NoWorkspace);
                }
            }
        }
    }
}

/// Begins to empty the directories, while the job's result is reported.
fn release(slots: Arc<Slots>, directory: Option<JobDirectory>) -> BoxFuture<'static, ()> {
    let Some(directory) = directory else {
        return Box::pin(std::future::ready(()));
    };
    let releasing = tokio::task::spawn_blocking(move || slots.release(directory));
    Box::pin(async {
        match releasing.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the job's directory stays"),
            Err(error) => tracing::warn!(%error, "the job's directory stays"),
        }
    })
}
