//! The services of a job: containers beside its own, on a network where they have names.

mod logs;
mod names;
mod readiness;

use std::collections::HashSet;
use std::time::Duration;

use bollard::Docker;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::StartContainerOptions;
use futures_util::future::join_all;
use shipway_protocol::Service;
use tokio::time::Instant;

use super::containers::{Containers, NewContainer};
use super::engine::{DockerError, remove};
use super::images::words;
use super::puller::{Puller, Wanted};
use crate::log::{Log, Output};
use crate::predefined::is_on;
use crate::variables::Variables;
use logs::Follower;
use readiness::{Check, NotReady};

/// The services of one job.
#[derive(Default)]
pub(super) struct Services {
    started: Vec<Started>,
    followers: Vec<Follower>,
}

/// A service whose container was started.
struct Started {
    /// Its image as the job names it, variables expanded.
    image: String,
    /// Its host names.
    names: Vec<String>,
    /// Its container.
    id: String,
    check: Check,
    /// Its end was told.
    is_told: bool,
}

impl Services {
    /// Starts all services in order, without waiting until they are up. What was started
    /// before an error is kept, for [`Services::remove`].
    pub(super) async fn start(
        &mut self,
        puller: &Puller<'_>,
        containers: &Containers<'_>,
        log: &mut Log,
    ) -> Result<(), DockerError> {
        let mut taken = HashSet::new();
        for service in &puller.payload.services {
            let image = puller.variables.expand(&service.name);
            log.line(&format!("Starting service {image} ...")).await;
            if image.is_empty() {
                return Err(DockerError::NoServiceImage {
                    name: service.name.clone(),
                });
            }
            let mut names = names::host_names(&image, service.alias.as_deref());
            let mut doubled = Vec::new();
            names.retain(|name| {
                let is_new = taken.insert(name.clone());
                if !is_new {
                    doubled.push(name.clone());
                }
                is_new
            });
            for name in doubled {
                log.warning(&format!(
                    "Service {image} is not called {name}: an earlier service is; give it an alias"
                ))
                .await;
            }
            let started = start_one(puller, containers, service, image, names, log).await?;
            self.started.push(started);
        }
        if is_on(&puller.variables.get("CI_DEBUG_SERVICES")) {
            let started = self.started.iter();
            self.followers = started
                .map(|service| Follower::new(puller.engine, &service.id, &service.names, log))
                .collect();
        }
        Ok(())
    }

    /// Waits until all services are up, or time is over, which is told and is no failure:
    /// the job's script may still find what it needs.
    pub(super) async fn wait(&self, engine: &Docker, limit: Option<Duration>, log: &mut Log) {
        let Some(limit) = limit.filter(|_| !self.started.is_empty()) else {
            return;
        };
        let seconds = limit.as_secs();
        log.line(&format!(
            "Waiting for services to be up and running (timeout {seconds} seconds)..."
        ))
        .await;
        let deadline = Instant::now() + limit;
        let waits = (self.started.iter())
            .map(|service| readiness::wait(engine, &service.id, &service.check, deadline));
        let results = join_all(waits).await;
        for (service, result) in self.started.iter().zip(results) {
            if let Err(error) = result {
                let why = "probably didn't start properly.";
                for line in report(engine, service, why, &error).await {
                    log.line(&line).await;
                }
            }
        }
    }

    /// `NAME:ADDRESS` of all services, for the hosts file of a container on a network that
    /// knows no names.
    pub(super) async fn hosts(&self, engine: &Docker) -> Vec<String> {
        let mut hosts = Vec::new();
        for service in &self.started {
            let found = engine.inspect_container(&service.id, None).await;
            let settings = found.ok().and_then(|found| found.network_settings);
            if let Some(address) = readiness::address(settings) {
                let names = service.names.iter();
                hosts.extend(names.map(|name| format!("{name}:{address}")));
            }
        }
        hosts
    }

    /// Tells of the services that ended meanwhile, once of each: after a command that failed
    /// this is often why.
    pub(super) async fn tell_of_ended(&mut self, engine: &Docker, output: &mut Output) {
        for service in self.started.iter_mut().filter(|service| !service.is_told) {
            let ended = readiness::wait(engine, &service.id, &Check::None, Instant::now()).await;
            if let Err(error @ NotReady::Ended(_)) = ended {
                service.is_told = true;
                let why = "is not running any more.";
                for line in report(engine, service, why, &error).await {
                    output.write(format!("{line}\n").as_bytes()).await;
                }
            }
        }
    }

    /// Removes all services, running or not.
    pub(super) async fn remove(&mut self, engine: &Docker) -> Result<(), DockerError> {
        let started = std::mem::take(&mut self.started);
        let removed = join_all(started.iter().map(|service| remove(engine, &service.id))).await;
        for follower in std::mem::take(&mut self.followers) {
            follower.finish().await;
        }
        removed.into_iter().collect()
    }
}

async fn start_one(
    puller: &Puller<'_>,
    containers: &Containers<'_>,
    service: &Service,
    image: String,
    names: Vec<String>,
    log: &mut Log,
) -> Result<Started, DockerError> {
    let options = service.executor_opts.docker.clone().unwrap_or_default();
    let expand = |text: &String| puller.variables.expand(text);
    let platform = options.platform.as_ref().map(expand).unwrap_or_default();
    let wanted = Wanted {
        name: &image,
        pull_policy: service.pull_policy.as_deref(),
        platform: &platform,
    };
    let found = puller.get(wanted, log).await?;
    let config = found.details.config.unwrap_or_default();
    let exposed = config.exposed_ports.unwrap_or_default();
    let ports = names::ports(&exposed, &service.variables);
    let check = Check::new(config.healthcheck.as_ref(), config.shell.as_deref(), ports);
    let given = |words: &Option<Vec<String>>| words.clone().filter(|words| !words.is_empty());
    let body = ContainerCreateBody {
        image: Some(found.id),
        user: options.user.map(|user| expand(&user.to_string())),
        entrypoint: given(&service.entrypoint),
        cmd: given(&service.command),
        env: Some(environment(puller.variables, service)),
        ..ContainerCreateBody::default()
    };
    let new = NewContainer {
        kind: "service",
        image: &image,
        platform: &platform,
        aliases: names.clone(),
        body,
    };
    let id = containers.create(puller.engine, new).await?;
    let started = puller
        .engine
        .start_container(&id, None::<StartContainerOptions>);
    if let Err(error) = started.await {
        remove(puller.engine, &id).await?;
        return Err(DockerError::Start {
            image,
            reason: words(error),
        });
    }
    Ok(Started {
        image,
        names,
        id,
        check,
        is_told: false,
    })
}

/// What a service sees: the job's variables that are no secrets of the project, and its own.
fn environment(variables: &Variables, service: &Service) -> Vec<String> {
    let pairs = variables.of_service(&service.variables).into_iter();
    pairs
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

/// The block that GitLab's runner prints of a service that is not up.
async fn report(engine: &Docker, service: &Started, what: &str, error: &NotReady) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        format!(
            "\x1b[0;33m*** WARNING:\x1b[0;m Service {} {what}",
            service.image
        ),
        String::new(),
        "Health check error:".to_owned(),
        error.to_string(),
        String::new(),
        "Service container logs:".to_owned(),
    ];
    lines.extend(logs::last_lines(engine, &service.id).await);
    lines.extend([String::new(), "*********".to_owned(), String::new()]);
    lines
}
