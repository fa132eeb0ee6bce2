//! The life of one job: every stage in its order, and what follows from each one's failure.

use std::time::Duration;

use shipway_protocol::{FailureReason, JobPayload, Variable};
use tokio::time::Instant;

use crate::config::{ExecutorChoice, RunnerConfig};
use crate::control::{Control, Request};
use crate::directory::{self, DirectoryError, JobDirectory};
use crate::executor::{
    DockerExecutor, Executor, ExecutorError, JobPaths, ShellExecutor, StageEnd, StageRequest,
};
use crate::failure::{Failure, JobOutcome, with_causes};
use crate::files::{self, Stop};
use crate::log::{Log, unix_now};
use crate::mask::Masker;
use crate::runner::Sources;
use crate::script::{self, ScriptOptions};
use crate::source::JobSource;
use crate::timeouts;
use crate::trace::Trace;
use crate::variables::{self, Variables};

/// The file in the job's temporary directory through which stages hand variables on.
const ENV_FILE: &str = "gitlab_runner_env";
/// More than this of it is not read.
const ENV_FILE_LIMIT: u64 = 1024 * 1024;

/// One job, being run.
pub(crate) struct Job<'a, S> {
    pub(crate) config: &'a RunnerConfig,
    pub(crate) payload: &'a JobPayload,
    sources: &'a Sources,
    pub(crate) source: &'a S,
    pub(crate) log: Log,
    control: Control,
    kind: Kind,
    pub(crate) directory: Result<JobDirectory, DirectoryError>,
    pub(crate) paths: JobPaths,
    pub(crate) variables: Variables,
    timeout: Duration,
    deadline: Instant,
}

/// Which executor this job gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Shell,
    Docker,
}

impl<'a, S: JobSource> Job<'a, S> {
    /// Takes the slot and works out the job's variables; trouble shows when it is run.
    pub(crate) fn new(
        config: &'a RunnerConfig,
        payload: &'a JobPayload,
        sources: &'a Sources,
        source: &'a S,
        slot: u32,
        trace: &Trace,
        control: Control,
    ) -> Self {
        let timeout = timeouts::job_timeout(payload.runner_info.timeout);
        let deadline = Instant::now() + timeout;
        let kind = choose(config.executor, payload.image.is_some());
        let full_path = &payload.job_info.project_full_path;
        let directory = JobDirectory::claim(&config.builds_dir, slot, full_path);
        let paths = match (&directory, kind) {
            (Ok(directory), Kind::Shell) => {
                JobPaths::on_host(&config.builds_dir, &directory.project, &directory.temporary)
            }
            _ => JobPaths::in_container(full_path),
        };
        let variables = job_variables(config, payload, kind, slot, timeout, &paths);
        let masker = Masker::new(
            &variables.masked_values(),
            &payload.features.token_mask_prefixes,
        );
        Self {
            config,
            payload,
            sources,
            source,
            log: Log::new(trace.clone(), masker, payload.features.trace_sections),
            control,
            kind,
            directory,
            paths,
            variables,
            timeout,
            deadline,
        }
    }

    /// Runs the job to its end.
    pub(crate) async fn run(mut self) -> JobOutcome {
        self.log
            .line(&format!(
                "Running with {} {}",
                self.config.name, self.config.version
            ))
            .await;
        self.log
            .line(&format!("  on {}", self.config.description))
            .await;
        let result = match &self.directory {
            Err(error) => Err(Failure::system(error)),
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
        if let Ok(directory) = self.directory
            && let Err(error) = blocking(|| directory.release()).await
        {
            tracing::warn!(%error, "the job's directory stays");
        }
        match result {
            Ok(()) => {
                self.log.info("Job succeeded").await;
                JobOutcome::success()
            }
            Err(failure) => {
                self.log.error(&failure.last_line(self.timeout)).await;
                failure.outcome()
            }
        }
    }

    async fn run_with<E: Executor>(&mut self, mut executor: E) -> Result<(), Failure> {
        let result = self.stages(&mut executor).await;
        if let Err(error) = executor.cleanup().await {
            tracing::warn!(error = with_causes(&error), "executor not cleaned up");
        }
        result
    }

    async fn stages<E: Executor>(&mut self, executor: &mut E) -> Result<(), Failure> {
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
            self.log.warning(&with_causes(&error)).await;
        }
        if !result.as_ref().err().is_some_and(Failure::halts) {
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
        let prepared = match self.refusal() {
            Some(failure) => Err(failure),
            None => tokio::select! {
                prepared = executor.prepare(&mut self.log) => prepared.map_err(executor_failure),
                () = self.control.reached(Request::Cancel) => Err(Failure::Canceled),
                () = tokio::time::sleep_until(self.deadline) => Err(Failure::JobTimeout),
            },
        };
        self.log.close_section("prepare_executor").await;
        prepared?;
        self.log
            .open_section("prepare_script", "Preparing environment")
            .await;
        self.log.line(&executor.place()).await;
        self.log.close_section("prepare_script").await;
        Ok(())
    }

    /// What this runner cannot do for the job; said before anything is spent on it.
    fn refusal(&self) -> Option<Failure> {
        let unsupported = |message: &str| {
            Some(Failure::System {
                reason: FailureReason::RunnerUnsupported,
                message: message.to_owned(),
            })
        };
        if let Some(service) = self.payload.services.first() {
            return unsupported(&format!(
                "`services` are not supported by this runner yet; the job asks for `{}`",
                service.name
            ));
        }
        if *self.sources == Sources::Git && self.strategy() == Strategy::Fetch {
            return unsupported(
                "this runner cannot clone the repository yet; it runs jobs from a snapshot of a work tree",
            );
        }
        None
    }

    fn strategy(&self) -> Strategy {
        match self.variables.get("GIT_STRATEGY").as_str() {
            "none" => Strategy::None,
            "empty" => Strategy::Empty,
            _ => Strategy::Fetch,
        }
    }

    /// Sources, caches, artifacts of other jobs.
    async fn before_scripts<E: Executor>(&mut self, executor: &mut E) -> Result<(), Failure> {
        self.get_sources(executor).await?;
        self.check_time(Request::Cancel)?;
        self.restore_caches().await?;
        self.check_time(Request::Cancel)?;
        self.download_artifacts().await?;
        self.check_time(Request::Cancel)?;
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

    async fn get_sources<E: Executor>(&mut self, executor: &mut E) -> Result<(), Failure> {
        let strategy = self.strategy();
        let heading = match (self.sources, strategy) {
            (Sources::Directory { .. }, Strategy::Fetch) => {
                "Getting sources from a snapshot of the work tree"
            }
            _ => "Getting source from Git repository",
        };
        self.log.open_section("get_sources", heading).await;
        let result = self.fetch_sources(executor, strategy).await;
        self.log.close_section("get_sources").await;
        result
    }

    async fn fetch_sources<E: Executor>(
        &mut self,
        executor: &mut E,
        strategy: Strategy,
    ) -> Result<(), Failure> {
        if strategy != Strategy::None {
            self.run_hook(executor, "pre_get_sources_script").await?;
        }
        match (strategy, self.sources) {
            (Strategy::None, _) => self.log.line("Skipping Git repository setup").await,
            (Strategy::Empty, _) | (_, Sources::Empty) => {
                self.log
                    .line("Skipping Git repository setup and creating an empty build directory")
                    .await;
            }
            (Strategy::Fetch, Sources::Git) => {}
            (Strategy::Fetch, Sources::Directory { path, .. }) => {
                let (from, to) = (path.clone(), self.directory()?.project.clone());
                let copied = blocking(move || shipway_git::copy_tree(&from, &to)).await;
                match copied {
                    Ok(copied) => {
                        self.log
                            .line(&format!("{} files ({})", copied.files, copied.method))
                            .await;
                    }
                    Err(error) => {
                        return Err(Failure::system(&error));
                    }
                }
            }
        }
        if strategy != Strategy::None {
            self.run_hook(executor, "post_get_sources_script").await?;
        }
        Ok(())
    }

    async fn run_hook<E: Executor>(&mut self, executor: &mut E, name: &str) -> Result<(), Failure> {
        let commands: Vec<String> = self
            .payload
            .hooks
            .iter()
            .filter(|hook| hook.name == name)
            .flat_map(|hook| hook.script.iter().cloned())
            .collect();
        if commands.is_empty() {
            return Ok(());
        }
        let stage = Stage {
            commands: &commands,
            sections: name,
            announcement: None,
            status: "running",
            deadline: self.deadline,
            stop_on: Request::Cancel,
        };
        let end = self.run_stage(executor, stage).await?;
        self.check(end, self.deadline)
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
            let heading = format!("Executing \"{name}\" stage of the job script");
            self.log.open_section(&name, &heading).await;
            let stage = Stage {
                commands,
                sections: "script_step",
                announcement: None,
                status: "running",
                deadline,
                stop_on: Request::Cancel,
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

    /// Runs the commands of one stage in a fresh shell.
    async fn run_stage<E: Executor>(
        &mut self,
        executor: &mut E,
        stage: Stage<'_>,
    ) -> Result<StageEnd, Failure> {
        let open = executor.runs_as_other_user();
        self.write_file_variables(open).await?;
        let environment = self.environment(stage.status).await?;
        let sections = (self.variables.get("FF_SCRIPT_SECTIONS") == "true"
            && self.payload.features.trace_sections)
            .then_some(stage.sections);
        let script = script::generate(
            stage.commands,
            &ScriptOptions {
                directory: &self.paths.project,
                trace: self.variables.get("CI_DEBUG_TRACE") == "true",
                announcement: stage.announcement,
                sections,
                now: unix_now(),
            },
        );
        let request = StageRequest {
            script: &script,
            environment: &environment,
            deadline: stage.deadline,
            stop_on: stage.stop_on,
        };
        let mut output = self.log.output();
        let end = executor.run(request, &mut output, &mut self.control).await;
        output.finish().await;
        end.map_err(executor_failure)
    }

    /// The job's variables, and what earlier stages wrote to `GITLAB_ENV`.
    async fn environment(&mut self, status: &str) -> Result<Vec<(String, String)>, Failure> {
        let mut environment = self.variables.environment();
        environment.push(("CI_JOB_STATUS".to_owned(), status.to_owned()));
        let file = self.directory()?.temporary.join(ENV_FILE);
        if let Some(content) = read_regular_file(&file, ENV_FILE_LIMIT) {
            environment.extend(variables::parse_env_file(&content));
        }
        let mut refused = Vec::new();
        environment.retain(|(key, value)| {
            let good = !key.is_empty() && !key.contains(['=', '\0']) && !value.contains('\0');
            if !good {
                refused.push(key.clone());
            }
            good
        });
        for key in refused {
            let name = key.escape_default();
            self.log
                .warning(&format!(
                    "variable `{name}` is left out: its name holds `=` or it holds a NUL byte"
                ))
                .await;
        }
        Ok(environment)
    }

    async fn write_file_variables(&mut self, open: bool) -> Result<(), Failure> {
        let directory = self.directory()?.temporary.clone();
        for file in self.variables.files() {
            if !variables::is_shell_name(&file.key) {
                let name = file.key.escape_default();
                self.log
                    .warning(&format!(
                        "file variable `{name}` is left out: only letters, digits and `_` can be a file's name"
                    ))
                    .await;
                continue;
            }
            let path = directory.join(&file.key);
            if let Err(source) = write_private(&path, file.content.as_bytes(), open) {
                return Err(Failure::System {
                    reason: FailureReason::RunnerSystemFailure,
                    message: format!(
                        "cannot write the file of variable {} to {}: {source}",
                        file.key,
                        path.display()
                    ),
                });
            }
        }
        Ok(())
    }

    /// Fails when the job's time is up or a stop of this level is asked for.
    fn check_time(&self, level: Request) -> Result<(), Failure> {
        if self.control.requested() >= level {
            return Err(self.stopped());
        }
        if Instant::now() >= self.deadline {
            return Err(Failure::JobTimeout);
        }
        Ok(())
    }

    fn stopped(&self) -> Failure {
        match self.control.requested() {
            Request::Abort => Failure::Aborted,
            _ => Failure::Canceled,
        }
    }

    /// Waits for `work`, which is dropped when the job's time is up or a stop of this level
    /// is asked for.
    pub(crate) async fn unless_stopped<T>(
        &mut self,
        level: Request,
        work: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let mut control = self.control.clone();
        tokio::select! {
            done = work => Ok(done),
            () = control.reached(level) => Err(self.stopped()),
            () = tokio::time::sleep_until(self.deadline) => Err(Failure::JobTimeout),
        }
    }

    /// Does file work on another thread. It is asked to end when the job's time is up or a
    /// stop of this level is asked for, and has always ended when this returns.
    pub(crate) async fn file_work<T: Send + 'static>(
        &mut self,
        level: Request,
        work: impl FnOnce(&Stop) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let stop = Stop::default();
        let working = {
            let stop = stop.clone();
            blocking(move || work(&stop))
        };
        tokio::pin!(working);
        let done = self.unless_stopped(level, &mut working).await;
        if done.is_err() {
            stop.ask();
            working.await;
        }
        done
    }

    fn stage_timeout(
        &self,
        name: &str,
        default: Option<Duration>,
    ) -> (Option<Duration>, Option<String>) {
        let remaining = self.deadline.saturating_duration_since(Instant::now());
        timeouts::stage_timeout(name, &self.variables.get(name), default, remaining)
    }

    fn stage_deadline(&self, limit: Option<Duration>) -> Instant {
        limit.map_or(self.deadline, |limit| {
            (Instant::now() + limit).min(self.deadline)
        })
    }

    async fn warn_of_timeout(&mut self, stage: &str, end: &Result<StageEnd, Failure>) {
        if matches!(end, Ok(StageEnd::TimedOut)) {
            self.log
                .warning(&format!(
                    "{stage} could not run to completion because the timeout was exceeded. \
                     For more control over job and script timeouts see: \
                     https://docs.gitlab.com/ci/runners/configure_runners/#set-script-and-after_script-timeouts"
                ))
                .await;
        }
    }

    /// What the end of a stage with this deadline means for the job.
    fn check(&self, end: StageEnd, deadline: Instant) -> Result<(), Failure> {
        Err(match end {
            StageEnd::Exited(0) => return Ok(()),
            StageEnd::Exited(code) => Failure::Exit(code),
            StageEnd::TimedOut if deadline >= self.deadline => Failure::JobTimeout,
            StageEnd::TimedOut => Failure::ScriptTimeout,
            StageEnd::Canceled => Failure::Canceled,
            StageEnd::Aborted => Failure::Aborted,
        })
    }

    pub(crate) fn directory(&self) -> Result<&JobDirectory, Failure> {
        self.directory
            .as_ref()
            .map_err(|error| Failure::system(error))
    }
}

/// One stage that runs commands.
struct Stage<'a> {
    commands: &'a [String],
    /// Prefix of the names of command sections.
    sections: &'a str,
    announcement: Option<&'a str>,
    /// `CI_JOB_STATUS`.
    status: &'static str,
    deadline: Instant,
    stop_on: Request,
}

/// `GIT_STRATEGY`, as far as it makes a difference here: every job's directory is fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strategy {
    Fetch,
    None,
    Empty,
}

fn choose(choice: ExecutorChoice, has_image: bool) -> Kind {
    match choice {
        ExecutorChoice::Shell => Kind::Shell,
        ExecutorChoice::Docker => Kind::Docker,
        ExecutorChoice::Auto if has_image => Kind::Docker,
        ExecutorChoice::Auto => Kind::Shell,
    }
}

/// All variables of the job, weakest first.
fn job_variables(
    config: &RunnerConfig,
    payload: &JobPayload,
    kind: Kind,
    slot: u32,
    timeout: Duration,
    paths: &JobPaths,
) -> Variables {
    let set = |key: &str, value: String| variables::internal(key, value);
    let mut first: Vec<Variable> = Vec::new();
    if let Some(image) = &payload.image {
        first.push(Variable {
            raw: false,
            ..set("CI_JOB_IMAGE", image.name.clone())
        });
    }
    first.extend([
        set("CI_BUILDS_DIR", paths.builds.clone()),
        set("CI_PROJECT_DIR", paths.project.clone()),
        set("CI_CONCURRENT_ID", slot.to_string()),
        set("CI_CONCURRENT_PROJECT_ID", slot.to_string()),
        set("CI_SERVER", "yes".to_owned()),
        set("CI_JOB_STATUS", "running".to_owned()),
        set("CI_JOB_TIMEOUT", timeout.as_secs().to_string()),
    ]);
    let place = match kind {
        Kind::Shell => "CI_SHARED_ENVIRONMENT",
        Kind::Docker => "CI_DISPOSABLE_ENVIRONMENT",
    };
    let last = vec![
        set(place, "true".to_owned()),
        set("CI_RUNNER_VERSION", config.version.clone()),
        set(
            "CI_RUNNER_EXECUTABLE_ARCH",
            format!("{}/{}", std::env::consts::OS, architecture()),
        ),
        set("RUNNER_TEMP_PROJECT_DIR", paths.temporary.clone()),
        set("GITLAB_ENV", format!("{}/{ENV_FILE}", paths.temporary)),
    ];
    Variables::new([first, payload.variables.clone(), last], &paths.temporary)
}

/// The processor's name as Go, and so GitLab, spells it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}

fn executor_failure(error: ExecutorError) -> Failure {
    Failure::System {
        reason: error.failure_reason(),
        message: with_causes(&error),
    }
}

/// Runs file work where it does not hold up other jobs.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// The content of a file that a job may have put there: no link is followed, no pipe waited
/// for, no more than `limit` bytes read, what is not text replaced.
fn read_regular_file(path: &std::path::Path, limit: u64) -> Option<String> {
    use std::io::Read;
    let file = files::open_regular(path).ok()?;
    let mut content = Vec::new();
    file.take(limit).read_to_end(&mut content).ok()?;
    Some(String::from_utf8_lossy(&content).into_owned())
}

/// Writes a file that only the job's user can read. An older one is replaced, not written
/// through: it may be a link by now.
fn write_private(path: &std::path::Path, content: &[u8], open: bool) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = std::fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    if open {
        file.set_permissions(std::fs::Permissions::from_mode(0o666))?;
    }
    file.write_all(content)
}
