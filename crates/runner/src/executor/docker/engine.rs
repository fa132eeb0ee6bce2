//! The Docker engine: how it is reached, the calls a job needs, and what can go wrong.

use std::collections::HashMap;
use std::path::Path;

use bollard::Docker;
use bollard::errors::Error as EngineError;
use bollard::exec::{CreateExecOptions, StartExecOptions};
use bollard::query_parameters::{
    KillContainerOptionsBuilder, ListContainersOptionsBuilder, ListNetworksOptionsBuilder,
    ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder, RemoveVolumeOptions,
    WaitContainerOptionsBuilder,
};
use futures_util::StreamExt;
use shipway_protocol::FailureReason;

use super::address;
use super::images::{ImageError, words};

/// The oldest engine this works with: 20.10.
const OLDEST_API: (usize, usize) = (1, 41);
/// Names the slot a container belongs to, so that a later runner can remove it.
pub(crate) const SLOT_LABEL: &str = "shipway.slot";

/// Why a container could not run a stage.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DockerError {
    /// No engine answers.
    #[error(
        "no Docker engine answers at {address}: {reason}. Start it (`sudo systemctl start docker`), \
         let your user talk to it (group `docker`), or run the job without a container (`--executor shell`)"
    )]
    NoEngine { address: String, reason: String },
    /// The address is none.
    #[error(
        "the Docker engine's address {address} is not understood; write unix:///PATH or \
         tcp://HOST:PORT (DOCKER_HOST, or `host` of `[runners.docker]`)"
    )]
    Address { address: String },
    /// It wants TLS.
    #[error(
        "this program was built without TLS, which the Docker engine at {address} wants: build it \
         with `--features remote`"
    )]
    #[cfg(not(feature = "remote"))]
    NoTls { address: String },
    /// Files did not come to a remote engine, or not back.
    #[error("cannot {doing} {path} in the job's container: {reason}")]
    Copy {
        doing: &'static str,
        path: String,
        reason: String,
    },
    /// The engine is too old.
    #[error(
        "the Docker engine speaks API {found}, at least 1.41 (Docker 20.10) is needed; upgrade it"
    )]
    TooOld { found: String },
    /// There is no image to run.
    #[error("the job names no image and the runner has no default image; add `image:` to the job")]
    NoImage,
    /// The image cannot be had.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The runner's configuration does not let jobs use it.
    #[error(
        "The \"{image}\" {what} is not present on list of allowed {what}s:\n{}\nUse one of them, or ask \
         whoever runs the runner to add it to `{key}`",
        listed(allowed)
    )]
    NotAllowed {
        what: &'static str,
        image: String,
        key: &'static str,
        allowed: Vec<String>,
    },
    /// There are too many.
    #[error(
        "the job has {count} services and this runner allows {limit} (`services_limit`); leave some out"
    )]
    TooManyServices { count: usize, limit: i64 },
    /// A service's name becomes empty.
    #[error("the service `{name}` names no image once its variables are expanded; set them")]
    NoServiceImage { name: String },
    /// The network of the job's containers cannot be made or removed.
    #[error(
        "cannot set up the network of the job and its services: {reason}{}",
        network_hint(reason)
    )]
    Network { reason: String },
    /// The container cannot be made.
    #[error("cannot create a container of image {image}: {reason}")]
    Create { image: String, reason: String },
    /// The container does not start.
    #[error(
        "cannot start a container of image {image}: {reason}{}",
        start_hint(reason)
    )]
    Start { image: String, reason: String },
    /// The engine broke off while the container ran.
    #[error("the Docker engine lost the job's container: {reason}")]
    Lost { reason: String },
    /// Something of the job's could not be removed.
    #[error("cannot remove container {container}: {reason}")]
    Remove { container: String, reason: String },
    /// Files a container's user made stay that user's.
    #[error("cannot make the files of the container's user this user's own: {reason}")]
    Reclaim { reason: String },
}

fn listed(allowed: &[String]) -> String {
    let lines: Vec<String> = allowed.iter().map(|one| format!("- {one}")).collect();
    lines.join("\n")
}

fn start_hint(reason: &str) -> &'static str {
    if reason.contains("executable file not found") || reason.contains("no such file") {
        ". The image needs a shell (`sh` or `bash`); an entrypoint can be switched off with `entrypoint: [\"\"]`"
    } else {
        ""
    }
}

fn network_hint(reason: &str) -> &'static str {
    if reason.contains("address pool") {
        ". Remove networks nobody needs (`docker network prune`) or widen `default-address-pools` in the engine's daemon.json"
    } else {
        ""
    }
}

impl DockerError {
    /// The failure reason the job gets.
    pub(crate) fn failure_reason(&self) -> FailureReason {
        match self {
            Self::TooOld { .. } => FailureReason::RunnerUnsupported,
            #[cfg(not(feature = "remote"))]
            Self::NoTls { .. } => FailureReason::RunnerUnsupported,
            Self::Address { .. }
            | Self::NoImage
            | Self::NoServiceImage { .. }
            | Self::NotAllowed { .. }
            | Self::TooManyServices { .. } => FailureReason::RunnerConfigurationError,
            Self::Image(error) => error.failure_reason(),
            _ => FailureReason::RunnerSystemFailure,
        }
    }
}

/// Reaches the engine and settles on a version of its API.
pub(crate) async fn connect(
    address: Option<&str>,
    certificates: Option<&Path>,
) -> Result<Docker, DockerError> {
    let engine = address::client(address, certificates)?;
    let address = address::effective(address);
    let engine = engine.negotiate_version().await;
    let engine = engine.map_err(|error| address::unreachable(address, error))?;
    let version = engine.client_version();
    if (version.major_version, version.minor_version) < OLDEST_API {
        return Err(DockerError::TooOld {
            found: format!("{}.{}", version.major_version, version.minor_version),
        });
    }
    Ok(engine)
}

/// Whether an engine that this runner can use answers there, or at the usual socket.
pub async fn docker_answers(address: Option<&str>, certificates: Option<&Path>) -> bool {
    match connect(address, certificates).await {
        Ok(engine) => engine.ping().await.is_ok(),
        Err(_) => false,
    }
}

/// The exit code of a container that was started.
pub(crate) async fn wait_for_exit(engine: &Docker, id: &str) -> Result<i32, DockerError> {
    let options = WaitContainerOptionsBuilder::default()
        .condition("not-running")
        .build();
    let mut answers = Box::pin(engine.wait_container(id, Some(options)));
    let code = match answers.next().await {
        Some(Ok(answer)) => answer.status_code,
        // The client reports every exit code but 0 as an error.
        Some(Err(EngineError::DockerContainerWaitError { code, .. })) => code,
        Some(Err(error)) => {
            return Err(DockerError::Lost {
                reason: words(error),
            });
        }
        None => {
            return Err(DockerError::Lost {
                reason: "it closed the connection".to_owned(),
            });
        }
    };
    Ok(code as i32)
}

/// Sends SIGTERM to everything in a container. The first process there hears it only with a
/// handler of its own, as in every container, so the others are told from inside.
pub(crate) async fn ask_to_end(engine: &Docker, id: &str) {
    kill(engine, id, "SIGTERM").await;
    let exec = CreateExecOptions {
        cmd: Some(vec!["sh", "-c", "kill -TERM -1"]),
        ..CreateExecOptions::default()
    };
    if let Ok(created) = engine.create_exec(id, exec).await {
        let detached = StartExecOptions {
            detach: true,
            ..StartExecOptions::default()
        };
        // A container that ended meanwhile needs no signal.
        let _ = engine.start_exec(&created.id, Some(detached)).await;
    }
}

pub(crate) async fn kill(engine: &Docker, id: &str, signal: &str) {
    let options = KillContainerOptionsBuilder::default()
        .signal(signal)
        .build();
    // A container that ended meanwhile needs no signal.
    let _ = engine.kill_container(id, Some(options)).await;
}

/// Removes a container with its anonymous volumes, also a running one.
pub(crate) async fn remove(engine: &Docker, id: &str) -> Result<(), DockerError> {
    let options = RemoveContainerOptionsBuilder::default()
        .force(true)
        .v(true)
        .build();
    match engine.remove_container(id, Some(options)).await {
        Err(EngineError::DockerResponseServerError {
            status_code: 404, ..
        })
        | Ok(()) => Ok(()),
        Err(error) => Err(DockerError::Remove {
            container: id.to_owned(),
            reason: words(error),
        }),
    }
}

/// Removes a volume; one that is not there is no error.
pub(super) async fn remove_volume(engine: &Docker, name: &str) -> Result<(), DockerError> {
    let removed = engine.remove_volume(name, None::<RemoveVolumeOptions>);
    match removed.await {
        Err(EngineError::DockerResponseServerError {
            status_code: 404, ..
        })
        | Ok(()) => Ok(()),
        Err(error) => Err(DockerError::Remove {
            container: format!("of volume {name}"),
            reason: words(error),
        }),
    }
}

/// Removes the containers and networks that runners which died left in this slot; returns how
/// many containers.
pub(crate) async fn remove_abandoned(
    docker_host: Option<&str>,
    certificates: Option<&Path>,
    slot: &Path,
) -> usize {
    match connect(docker_host, certificates).await {
        Ok(engine) => remove_from(&engine, &address::slot_label(docker_host, slot)).await,
        Err(_) => 0,
    }
}

/// Removes all containers and networks with this label of a slot; returns how many containers.
pub(super) async fn remove_from(engine: &Docker, slot: &str) -> usize {
    let label = format!("{SLOT_LABEL}={slot}");
    let filters = HashMap::from([("label", vec![label.as_str()])]);
    let options = ListContainersOptionsBuilder::default()
        .all(true)
        .filters(&filters)
        .build();
    let mut removed = 0;
    let containers = engine.list_containers(Some(options)).await;
    for container in containers.unwrap_or_default() {
        if let Some(id) = container.id
            && remove(engine, &id).await.is_ok()
        {
            removed += 1;
        }
    }
    let options = ListNetworksOptionsBuilder::default()
        .filters(&filters)
        .build();
    let networks = engine.list_networks(Some(options)).await;
    for network in networks.unwrap_or_default() {
        if let Some(id) = network.id {
            // One that cannot be removed now is found again by the next runner.
            let _ = super::network::remove(engine, &id).await;
        }
    }
    let options = ListVolumesOptionsBuilder::default()
        .filters(&filters)
        .build();
    let volumes = engine.list_volumes(Some(options)).await;
    for volume in volumes.unwrap_or_default().volumes.into_iter().flatten() {
        let _ = remove_volume(engine, &volume.name).await;
    }
    removed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_engine_that_cannot_be_used_is_named() {
        for (address, reason, text) in [
            (
                "tcp://127.0.0.1:1",
                FailureReason::RunnerSystemFailure,
                "no Docker engine answers at tcp://127.0.0.1:1",
            ),
            (
                "unix:///nowhere/docker.sock",
                FailureReason::RunnerSystemFailure,
                "no Docker engine answers at unix:///nowhere/docker.sock",
            ),
        ] {
            let error = connect(Some(address), None).await.unwrap_err();
            assert_eq!(error.failure_reason(), reason);
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}
