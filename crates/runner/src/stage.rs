//! One stage: its environment, its script, its time, and how it ended.

use std::path::Path;
use std::time::Duration;

use shipway_protocol::FailureReason;
use tokio::time::Instant;

use crate::control::Request;
use crate::executor::{Executor, ExecutorError, StageEnd, StageRequest};
use crate::failure::{Failure, with_causes};
use crate::failure_shell::FailureShell;
use crate::files::{self, Stop};
use crate::job::Job;
use crate::log::unix_now;
use crate::predefined::{ENV_FILE, is_on};
use crate::script::{self, ScriptOptions};
use crate::timeouts;
use crate::variables;

/// More than this of the file behind `GITLAB_ENV` is not read.
const ENV_FILE_LIMIT: u64 = 1024 * 1024;

/// One stage that runs commands.
pub(crate) struct Stage<'a> {
    pub(crate) commands: &'a [String],
    /// Prefix of the names of command sections.
    pub(crate) sections: &'a str,
    pub(crate) announcement: Option<&'a str>,
    /// `CI_JOB_STATUS`.
    pub(crate) status: &'static str,
    pub(crate) deadline: Instant,
    pub(crate) stop_on: Request,
    /// Whoever wants a shell where it fails.
    pub(crate) failure_shell: Option<&'a FailureShell>,
}

impl Job<'_> {
    /// Runs the commands of one stage in a fresh shell.
    pub(crate) async fn run_stage<E: Executor>(
        &mut self,
        executor: &mut E,
        stage: Stage<'_>,
    ) -> Result<StageEnd, Failure> {
        let open = executor.runs_as_other_user();
        self.write_file_variables(open).await?;
        let environment = self.environment(stage.status).await?;
        let sections = (is_on(&self.variables.get("FF_SCRIPT_SECTIONS"))
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
                failure_shell: stage.failure_shell.is_some(),
            },
        );
        let request = StageRequest {
            script: &script,
            environment: &environment,
            deadline: stage.deadline,
            stop_on: stage.stop_on,
            failure_shell: stage.failure_shell,
        };
        let mut output = self.log.output();
        let end = executor.run(request, &mut output, &mut self.control).await;
        output.finish().await;
        end.map_err(executor_failure)
    }

    /// The job's variables, and what earlier stages wrote to `GITLAB_ENV`.
    async fn environment(&mut self, status: &str) -> Result<Vec<(String, String)>, Failure> {
        let mut environment = self.variables.environment();
        let mut later = vec![("CI_JOB_STATUS".to_owned(), status.to_owned())];
        let file = self.directory()?.temporary.join(ENV_FILE);
        if let Some(content) = read_regular_file(&file, ENV_FILE_LIMIT) {
            later.extend(variables::parse_env_file(&content));
        }
        variables::override_with(&mut environment, later);
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
    pub(crate) fn check_time(&self, level: Request) -> Result<(), Failure> {
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

    pub(crate) fn stage_timeout(
        &self,
        name: &str,
        default: Option<Duration>,
    ) -> (Option<Duration>, Option<String>) {
        let remaining = self.deadline.saturating_duration_since(Instant::now());
        timeouts::stage_timeout(name, &self.variables.get(name), default, remaining)
    }

    pub(crate) fn stage_deadline(&self, limit: Option<Duration>) -> Instant {
        limit.map_or(self.deadline, |limit| {
            (Instant::now() + limit).min(self.deadline)
        })
    }

    pub(crate) async fn warn_of_timeout(&mut self, stage: &str, end: &Result<StageEnd, Failure>) {
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
    pub(crate) fn check(&self, end: StageEnd, deadline: Instant) -> Result<(), Failure> {
        Err(match end {
            StageEnd::Exited(0) => return Ok(()),
            StageEnd::Exited(code) => Failure::Exit(code),
            StageEnd::TimedOut if deadline >= self.deadline => Failure::JobTimeout,
            StageEnd::TimedOut => Failure::ScriptTimeout,
            StageEnd::Canceled => Failure::Canceled,
            StageEnd::Aborted => Failure::Aborted,
        })
    }
}

pub(crate) fn executor_failure(error: ExecutorError) -> Failure {
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
fn read_regular_file(path: &Path, limit: u64) -> Option<String> {
    use std::io::Read;
    let file = files::open_regular(path).ok()?;
    let mut content = Vec::new();
    file.take(limit).read_to_end(&mut content).ok()?;
    Some(String::from_utf8_lossy(&content).into_owned())
}

/// Writes a file that only the job's user can read. An older one is replaced, not written
/// through: it may be a link by now.
fn write_private(path: &Path, content: &[u8], open: bool) -> std::io::Result<()> {
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
