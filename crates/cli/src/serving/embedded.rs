//! The runner inside of a server. It speaks the runner protocol over loopback like any other,
//! so that what is true of it is true of all.

use std::path::Path;

use shipway_runner::remote::{DockerTable, RunnerSettings, Settings, Shutdown, Surroundings};
use shipway_runner::{docker_answers, docker_certificates};
use shipway_server::EmbeddedRunner;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::error::Fault;

/// What the runner is called.
pub(crate) const DESCRIPTION: &str = "embedded runner";

/// The image of jobs that name none, in containers.
const DEFAULT_IMAGE: &str = "python:3.13-slim";

/// The executor that is wanted and possible; none for no runner.
pub(crate) async fn choose_executor(wanted: EmbeddedRunner) -> Result<Option<&'static str>, Fault> {
    let host = std::env::var("DOCKER_HOST").ok();
    let certificates = docker_certificates(|name| std::env::var_os(name));
    let answers = docker_answers(host.as_deref(), certificates.as_deref()).await;
    match wanted {
        EmbeddedRunner::None => Ok(None),
        EmbeddedRunner::Shell => Ok(Some("shell")),
        EmbeddedRunner::Auto => Ok(answers.then_some("docker")),
        EmbeddedRunner::Docker if answers => Ok(Some("docker")),
        EmbeddedRunner::Docker => Err(Fault::usage_text(
            "no Docker engine answers, and --runner docker needs one",
        )
        .hint(
            "start the engine, name it with DOCKER_HOST, or choose `--runner shell`, which runs \
             jobs as this user",
        )),
    }
}

/// The runner at work.
pub(crate) struct Embedded {
    asked: watch::Sender<Shutdown>,
    work: JoinHandle<()>,
}

impl Embedded {
    /// Starts it. `url` is where the server listens, `directory` where jobs run.
    pub(crate) fn start(
        executor: &str,
        url: &str,
        token: &str,
        directory: &Path,
    ) -> Result<Self, Fault> {
        let mut runner = RunnerSettings::default();
        runner.name = DESCRIPTION.to_owned();
        runner.url = url.to_owned();
        runner.token = token.to_owned();
        runner.executor = executor.to_owned();
        if executor == "docker" {
            let mut docker = DockerTable::default();
            docker.image = Some(DEFAULT_IMAGE.to_owned());
            runner.docker = Some(docker);
        }
        let mut settings = Settings::default();
        settings.concurrent = std::thread::available_parallelism()
            .map_or(1, |count| u32::try_from(count.get()).unwrap_or(1));
        settings.runners = vec![runner];
        let surroundings = Surroundings {
            working_directory: directory.to_owned(),
            environment: std::env::vars_os().collect(),
            system_id: "s_embedded".to_owned(),
        };
        let manager = settings.manager(&surroundings).map_err(Fault::usage)?;
        let (asked, shutdown) = watch::channel(Shutdown::None);
        Ok(Self {
            asked,
            work: tokio::spawn(manager.run(shutdown)),
        })
    }

    /// Ends its jobs, tells the server so and waits until nothing of them is left.
    pub(crate) async fn stop(self) {
        self.asked.send_replace(Shutdown::Stop);
        if let Err(error) = self.work.await {
            tracing::error!(%error, "embedded.runner.failed");
        }
    }
}
