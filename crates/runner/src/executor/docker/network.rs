//! The network of a job's containers.

use std::collections::HashMap;

use bollard::Docker;
use bollard::errors::Error as EngineError;
use bollard::models::{EndpointSettings, NetworkCreateRequest, NetworkingConfig};

use super::engine::DockerError;
use super::images::words;

/// Where a job's containers are connected.
#[derive(Debug, Clone, Default)]
pub(super) enum JobNetwork {
    /// The engine's default.
    #[default]
    Default,
    /// What the runner's configuration names, as in `docker run --network`.
    Configured(String),
    /// A bridge that is the job's alone.
    Own(String),
}

impl JobNetwork {
    /// What a job's containers need: a network of their own as soon as there are several,
    /// because only there the engine knows their names.
    pub(super) async fn new(
        engine: &Docker,
        configured: Option<&str>,
        has_services: bool,
        name: &str,
        labels: HashMap<String, String>,
    ) -> Result<Self, DockerError> {
        if let Some(configured) = configured.filter(|mode| !mode.is_empty()) {
            return Ok(Self::Configured(configured.to_owned()));
        }
        if !has_services {
            return Ok(Self::Default);
        }
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            labels: Some(labels),
            ..NetworkCreateRequest::default()
        };
        let network = engine.create_network(request).await;
        network.map_err(|error| DockerError::Network {
            reason: words(error),
        })?;
        Ok(Self::Own(name.to_owned()))
    }

    /// As the engine calls it.
    pub(super) fn mode(&self) -> Option<&str> {
        match self {
            Self::Default => None,
            Self::Configured(name) | Self::Own(name) => Some(name),
        }
    }

    /// Whether containers there find one another by name. On the engine's default bridge they
    /// do not, and need lines in their hosts file.
    pub(super) fn knows_names(&self) -> bool {
        match self {
            Self::Default => false,
            Self::Own(_) => true,
            Self::Configured(name) => {
                !matches!(name.as_str(), "bridge" | "default" | "host" | "none")
                    && !name.starts_with("container:")
            }
        }
    }

    /// How a container is connected that others know by `aliases`.
    pub(super) fn endpoint(&self, aliases: Vec<String>) -> Option<NetworkingConfig> {
        let name = self.mode().filter(|_| self.knows_names())?;
        let endpoint = EndpointSettings {
            aliases: Some(aliases),
            ..EndpointSettings::default()
        };
        Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([(name.to_owned(), endpoint)])),
        })
    }

    /// Removes the job's own network; nothing may be connected any more.
    pub(super) async fn remove(&mut self, engine: &Docker) -> Result<(), DockerError> {
        let Self::Own(name) = std::mem::take(self) else {
            return Ok(());
        };
        remove(engine, &name).await
    }
}

/// Removes a network by its name or id; one that is gone is no error.
pub(crate) async fn remove(engine: &Docker, name: &str) -> Result<(), DockerError> {
    match engine.remove_network(name).await {
        Ok(())
        | Err(EngineError::DockerResponseServerError {
            status_code: 404, ..
        }) => Ok(()),
        Err(error) => Err(DockerError::Network {
            reason: words(error),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_on_networks_that_someone_made() {
        for (network, knows) in [
            (JobNetwork::Default, false),
            (JobNetwork::Own("shipway-1".into()), true),
            (JobNetwork::Configured("mine".into()), true),
            (JobNetwork::Configured("host".into()), false),
            (JobNetwork::Configured("bridge".into()), false),
            (JobNetwork::Configured("container:db".into()), false),
        ] {
            assert_eq!(network.knows_names(), knows, "{network:?}");
            assert_eq!(network.endpoint(vec!["db".into()]).is_some(), knows);
        }
    }
}
