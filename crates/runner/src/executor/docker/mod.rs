//! Jobs in containers of a Docker engine on this machine.
//!
//! One container per job: each stage starts it again with a script on its standard input,
//! so what a stage installs in the container is there in the next. After a stage that was
//! stopped the container is replaced. The job's directories are mounted from the host, or, where
//! the engine is on another machine, copied there and back.

pub(super) mod address;
mod containers;
mod copies;
mod credentials;
pub(super) mod engine;
mod host_config;
pub(super) mod images;
pub(super) mod network;
mod permits;
mod puller;
mod run;
mod services;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::Docker;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::StartContainerOptions;
use shipway_protocol::JobPayload;

use super::{Executor, ExecutorError, JobPaths, StageEnd, StageRequest};
use crate::config::RunnerConfig;
use crate::control::Control;
use crate::directory::JobDirectory;
use crate::log::{Log, Output};
use crate::predefined::is_on;
use crate::script::quote;
use crate::variables::{Variables, is_shell_name};
use address::{is_remote, slot_label};
use containers::{Containers, Files, NewContainer};
use copies::{Pair, give, take};
use engine::{DockerError, connect, remove, remove_from, wait_for_exit};
use images::words;
use network::JobNetwork;
use puller::{Puller, Wanted};
use services::Services;

/// For removing containers, also after the job was given up.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(300);
/// Runs as the container's command: the first shell there is reads the script. Not a login
/// shell, because `/etc/profile` of common images drops what the image's own PATH adds.
const FIND_SHELL: &str = "for shell in /usr/local/bin/bash /usr/bin/bash /bin/bash \
    /usr/local/bin/sh /usr/bin/sh /bin/sh /busybox/sh; do \
    if [ -x \"$shell\" ]; then exec \"$shell\"; fi; done; echo shell not found; exit 1";

/// One job's container.
pub(crate) struct DockerExecutor<'a> {
    config: &'a RunnerConfig,
    payload: &'a JobPayload,
    variables: Variables,
    paths: JobPaths,
    containers: Containers<'a>,
    engine: Option<Docker>,
    services: Services,
    image: Image,
    /// All of `prepare` was done: nothing was begun that nobody knows of.
    is_prepared: bool,
    container: Option<Container>,
    /// What `copies` have to bring; nothing where the engine sees this machine's directories.
    copied: Option<Copied>,
    /// A container ran since files were last reclaimed.
    has_run: bool,
}

/// The job's image, once it is here.
#[derive(Debug, Default)]
struct Image {
    name: String,
    id: String,
    platform: String,
    /// Asked for by the job.
    user: Option<String>,
    /// Whether the container's user is neither root nor unknown.
    other_user: bool,
}

/// What a remote engine gets.
struct Copied {
    project: Pair,
    temporary: Pair,
    /// Of the snapshot of a local run.
    objects: Option<Pair>,
    /// Where archives are unpacked.
    scratch: PathBuf,
    /// Nobody here writes to the project any more.
    is_settled: bool,
    /// The project is there as it is here.
    is_given: bool,
}

/// A container that exists.
struct Container {
    id: String,
    /// What it was created with; later stages export what differs.
    environment: HashMap<String, String>,
}

impl<'a> DockerExecutor<'a> {
    /// A container for the job in this directory. `git_objects` is mounted read-only.
    pub(crate) fn new(
        config: &'a RunnerConfig,
        payload: &'a JobPayload,
        variables: &Variables,
        paths: &JobPaths,
        directory: &JobDirectory,
        git_objects: Option<&Path>,
    ) -> Self {
        let settings = &config.docker;
        let host = config.docker_host.as_deref();
        let copied = is_remote(host).then(|| Copied {
            project: pair(&directory.project, &paths.project),
            temporary: pair(&directory.temporary, &paths.temporary),
            objects: git_objects.map(|objects| pair(objects, &objects.to_string_lossy())),
            scratch: directory.slot.clone(),
            is_settled: false,
            is_given: false,
        });
        Self {
            config,
            payload,
            variables: variables.clone(),
            paths: paths.clone(),
            containers: Containers::new(
                settings,
                payload,
                slot_label(host, &directory.slot),
                match copied {
                    None => Files::mounted(paths, directory, git_objects),
                    Some(_) => Files::Copied(paths.clone()),
                },
                is_on(&variables.get("FF_USE_INIT_WITH_DOCKER_EXECUTOR")),
            ),
            engine: None,
            services: Services::default(),
            image: Image::default(),
            is_prepared: false,
            container: None,
            copied,
            has_run: false,
        }
    }

    fn engine(&self) -> Result<&Docker, DockerError> {
        self.engine.as_ref().ok_or_else(|| DockerError::Lost {
            reason: "it was never reached".to_owned(),
        })
    }

    fn flag(&self, name: &str) -> bool {
        is_on(&self.variables.get(name))
    }

    /// The name of the job's image.
    fn image_name(&self) -> Result<String, DockerError> {
        let wanted = self.payload.image.as_ref();
        let named = wanted.map(|image| self.variables.expand(&image.name));
        let default = self.config.default_image.clone();
        named
            .into_iter()
            .chain(default)
            .find(|name| !name.is_empty())
            .ok_or(DockerError::NoImage)
    }

    /// Brings the job's image here and its services up; the one while the others start.
    async fn get_ready(&mut self, engine: &Docker, log: &mut Log) -> Result<(), DockerError> {
        let name = self.image_name()?;
        self.check_permits(&name)?;
        log.line(&format!("Using Docker executor with image {name} ..."))
            .await;
        let variables = self.variables.clone();
        let puller = Puller {
            engine,
            config: self.config,
            payload: self.payload,
            variables: &variables,
        };
        self.containers.network = JobNetwork::new(
            engine,
            self.config.docker.network_mode.as_deref(),
            !self.payload.services.is_empty() || self.flag("FF_NETWORK_PER_BUILD"),
            &format!("shipway-{}-{}", self.payload.id, random_word()),
            self.containers.labels("network"),
        )
        .await?;
        self.services.start(&puller, &self.containers, log).await?;
        self.get_image(&puller, name, log).await?;
        let limit = self.config.docker.wait_for_services;
        self.services.wait(engine, limit, log).await;
        if !self.containers.network.knows_names() {
            self.containers.hosts = self.services.hosts(engine).await;
        }
        Ok(())
    }

    async fn get_image(
        &mut self,
        puller: &Puller<'_>,
        name: String,
        log: &mut Log,
    ) -> Result<(), DockerError> {
        let wanted = self.payload.image.clone().unwrap_or_default();
        let options = wanted.executor_opts.docker.unwrap_or_default();
        let expand = |text: &String| self.variables.expand(text);
        let platform = options.platform.as_ref().map(expand).unwrap_or_default();
        let user = options.user.map(|user| expand(&user.to_string()));
        let user = self.config.docker.options.user.clone().or(user);
        let image = Wanted {
            name: &name,
            pull_policy: wanted.pull_policy.as_deref(),
            platform: &platform,
        };
        let found = puller.get(image, log).await?;
        let image_user = found.details.config.and_then(|config| config.user);
        let effective = user.clone().or(image_user).unwrap_or_default();
        self.image = Image {
            name,
            id: found.id,
            platform,
            user,
            other_user: !is_root(&effective),
        };
        Ok(())
    }

    async fn create(&self, environment: &[(String, String)]) -> Result<Container, DockerError> {
        let entrypoint = self
            .payload
            .image
            .as_ref()
            .and_then(|image| image.entrypoint.clone())
            .filter(|entrypoint| !entrypoint.is_empty())
            .filter(|_| !self.config.docker.options.disable_entrypoint_overwrite);
        let pairs = environment.iter();
        let body = ContainerCreateBody {
            user: self.image.user.clone(),
            entrypoint,
            cmd: Some(["sh", "-c", FIND_SHELL].map(str::to_owned).to_vec()),
            env: Some(
                pairs
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect(),
            ),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            open_stdin: Some(true),
            stdin_once: Some(true),
            ..ContainerCreateBody::default()
        };
        let id = self.create_from_image(body, "build").await?;
        Ok(Container {
            id,
            environment: environment.iter().cloned().collect(),
        })
    }

    /// Makes a container of the job's image.
    async fn create_from_image(
        &self,
        mut body: ContainerCreateBody,
        kind: &str,
    ) -> Result<String, DockerError> {
        body.image = Some(self.image.id.clone());
        let new = NewContainer {
            kind,
            image: &self.image.name,
            platform: &self.image.platform,
            aliases: vec![kind.to_owned()],
            body,
        };
        self.containers.create(self.engine()?, new).await
    }

    /// Removes everything that was made for the job.
    async fn remove_everything(&mut self) -> Result<(), DockerError> {
        let container = self.remove_container().await;
        let engine = self.engine()?.clone();
        let services = self.services.remove(&engine).await;
        let network = self.containers.network.remove(&engine).await;
        let volumes = self.containers.remove_volumes(&engine).await;
        if !self.is_prepared {
            // What was being made when the job was cancelled is known to the engine alone.
            remove_from(&engine, self.containers.slot()).await;
        }
        container.and(services).and(network).and(volumes)
    }

    async fn remove_container(&mut self) -> Result<(), DockerError> {
        let Some(container) = self.container.take() else {
            return Ok(());
        };
        remove(self.engine()?, &container.id).await
    }

    /// Gives the runner's user what the container's users made, from a container: only root
    /// may do that, and only in there this runner is root.
    async fn reclaim_files(&mut self) -> Result<(), DockerError> {
        let (user, group) = (nix::unistd::geteuid(), nix::unistd::getegid());
        if !std::mem::take(&mut self.has_run) {
            return Ok(());
        }
        if self.copied.is_some() {
            return self.take_project().await;
        }
        if user.is_root() {
            return Ok(());
        }
        let command = format!(
            "chown -R {user}:{group} {0} {1} && chmod -R u+rwX {0} {1}",
            quote(&self.paths.project),
            quote(&self.paths.temporary)
        );
        let body = ContainerCreateBody {
            user: Some("0:0".to_owned()),
            entrypoint: Some(vec!["sh".to_owned(), "-c".to_owned()]),
            cmd: Some(vec![command]),
            ..ContainerCreateBody::default()
        };
        let id = self.create_from_image(body, "reclaim").await?;
        let engine = self.engine()?;
        let ran = async {
            engine
                .start_container(&id, None::<StartContainerOptions>)
                .await
                .map_err(words)?;
            match wait_for_exit(engine, &id).await {
                Ok(0) => Ok(()),
                Ok(code) => Err(format!("chown ended with {code}")),
                Err(error) => Err(error.to_string()),
            }
        }
        .await;
        remove(engine, &id).await?;
        ran.map_err(|reason| DockerError::Reclaim { reason })
    }
}

impl DockerExecutor<'_> {
    /// Brings to a new or old container what changed here.
    async fn give_files(&mut self, id: &str, is_new: bool) -> Result<(), DockerError> {
        let engine = self.engine()?.clone();
        let Some(copied) = &mut self.copied else {
            return Ok(());
        };
        let mut pairs = vec![copied.temporary.clone()];
        if !copied.is_given {
            pairs.push(copied.project.clone());
            copied.is_given = copied.is_settled;
        }
        if is_new {
            pairs.extend(copied.objects.clone());
        }
        give(&engine, id, &pairs).await
    }

    /// Brings back what a stage left for the next: the file behind `GITLAB_ENV`.
    async fn take_temporary(&self, id: &str) -> Result<(), DockerError> {
        let Some(copied) = &self.copied else {
            return Ok(());
        };
        let limit = self.config.extract_limits.bytes;
        let (pair, scratch) = (&copied.temporary, &copied.scratch);
        take(self.engine()?, id, pair, scratch, limit).await
    }

    /// Brings back what the job made, where anything here needs it.
    async fn take_project(&mut self) -> Result<(), DockerError> {
        let Some(copied) = &self.copied else {
            return Ok(());
        };
        let payload = self.payload;
        let is_sticky = !self.variables.get("SHIPWAY_STICKY").is_empty();
        if payload.artifacts.is_empty() && payload.cache.is_empty() && !is_sticky {
            return Ok(());
        }
        let engine = self.engine()?.clone();
        let (id, own) = match &self.container {
            Some(container) => (container.id.clone(), false),
            // The files are in a volume; any container shows them.
            None => {
                let body = ContainerCreateBody::default();
                (self.create_from_image(body, "copy").await?, true)
            }
        };
        let limit = self.config.extract_limits.bytes;
        let taken = take(&engine, &id, &copied.project, &copied.scratch, limit).await;
        if own {
            remove(&engine, &id).await?;
        }
        taken
    }
}

impl Executor for DockerExecutor<'_> {
    const NAME: &'static str = "docker";

    async fn prepare(&mut self, log: &mut Log) -> Result<(), ExecutorError> {
        let engine = connect(
            self.config.docker_host.as_deref(),
            self.config.docker_cert_path.as_deref(),
        )
        .await?;
        self.engine = Some(engine.clone());
        self.get_ready(&engine, log).await?;
        self.is_prepared = true;
        Ok(())
    }

    fn place(&self) -> String {
        format!(
            "Running in a container of {} via {}...",
            self.image.name, self.config.description
        )
    }

    async fn run(
        &mut self,
        request: StageRequest<'_>,
        output: &mut Output,
        control: &mut Control,
    ) -> Result<StageEnd, ExecutorError> {
        let environment = with_safe_directory(request.environment, &self.paths.project);
        let is_new = self.container.is_none();
        let container = match self.container.take() {
            Some(container) => container,
            None => self.create(&environment).await?,
        };
        let id = container.id.clone();
        // So that it is removed also where its files do not come to it.
        self.container = Some(container);
        self.give_files(&id, is_new).await?;
        let Some(container) = self.container.take() else {
            return Err(DockerError::Lost {
                reason: "its container is gone".to_owned(),
            }
            .into());
        };
        self.has_run = true;
        let script = exports(&container.environment, &environment) + request.script;
        let end = self
            .run_once(&container, &script, &request, output, control)
            .await;
        self.container = Some(container);
        if matches!(end, Ok(StageEnd::Exited(_))) {
            self.take_temporary(&id).await?;
        }
        if !matches!(end, Ok(StageEnd::Exited(_))) {
            let removed = self.remove_container().await;
            // An engine that is lost is told so, and not that it removes nothing any more.
            if end.is_ok() {
                removed?;
            }
        }
        if !matches!(end, Ok(StageEnd::Exited(0))) {
            let engine = self.engine()?.clone();
            self.services.tell_of_ended(&engine, output).await;
        }
        Ok(end?)
    }

    fn runs_as_other_user(&self) -> bool {
        self.image.other_user
    }

    fn files_are_settled(&mut self) {
        if let Some(copied) = &mut self.copied {
            copied.is_settled = true;
            copied.is_given = false;
        }
    }

    async fn reclaim(&mut self) -> Result<(), ExecutorError> {
        Ok(self.reclaim_files().await?)
    }

    async fn cleanup(&mut self) -> Result<(), ExecutorError> {
        if self.engine.is_none() {
            return Ok(());
        }
        match tokio::time::timeout(CLEANUP_TIMEOUT, self.remove_everything()).await {
            Ok(removed) => Ok(removed?),
            Err(_) => Err(DockerError::Remove {
                container: "of the job".to_owned(),
                reason: format!("no answer within {} seconds", CLEANUP_TIMEOUT.as_secs()),
            }
            .into()),
        }
    }
}

fn pair(here: &Path, there: &str) -> Pair {
    Pair {
        here: here.to_owned(),
        there: there.to_owned(),
    }
}

/// Tells networks apart of jobs that have the same number: local runs count from one.
fn random_word() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}

fn is_root(user: &str) -> bool {
    let name = user.split(':').next().unwrap_or_default();
    matches!(name, "" | "0" | "root")
}

/// The environment with which git accepts a project directory that another user owns, the
/// runner's: it would refuse to work there. A job that configures git this way itself is
/// left alone.
fn with_safe_directory(environment: &[(String, String)], project: &str) -> Vec<(String, String)> {
    let mut environment = environment.to_vec();
    if !environment
        .iter()
        .any(|(name, _)| name == "GIT_CONFIG_COUNT")
    {
        for (name, value) in [
            ("GIT_CONFIG_COUNT", "1"),
            ("GIT_CONFIG_KEY_0", "safe.directory"),
            ("GIT_CONFIG_VALUE_0", project),
        ] {
            environment.push((name.to_owned(), value.to_owned()));
        }
    }
    environment
}

/// Commands for a container that was created with `created` and shall see `wanted`.
fn exports(created: &HashMap<String, String>, wanted: &[(String, String)]) -> String {
    wanted
        .iter()
        .filter(|(name, value)| created.get(name) != Some(value) && is_shell_name(name))
        .map(|(name, value)| format!("export {name}={}\n", quote(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_stages_export_what_changed() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let created = HashMap::from([pair("A", "1"), pair("B", "2")]);
        let wanted = [
            pair("A", "1"),
            pair("B", "it's"),
            pair("C", ""),
            pair("D-D", "x"),
        ];
        assert_eq!(
            exports(&created, &wanted),
            "export B='it'\\''s'\nexport C=''\n"
        );
    }

    #[test]
    fn git_is_told_that_the_project_is_safe_unless_the_job_configures_git() {
        let environment = with_safe_directory(&[], "/builds/p");
        assert_eq!(
            environment[2],
            ("GIT_CONFIG_VALUE_0".into(), "/builds/p".into())
        );
        let own = [("GIT_CONFIG_COUNT".to_owned(), "0".to_owned())];
        assert_eq!(with_safe_directory(&own, "/builds/p"), own);
    }

    #[test]
    fn root_has_several_names() {
        for (user, root) in [
            ("", true),
            ("0", true),
            ("root:root", true),
            ("0:5", true),
            ("1000", false),
            ("app", false),
        ] {
            assert_eq!(is_root(user), root, "{user}");
        }
    }
}
