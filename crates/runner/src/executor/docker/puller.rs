//! Images of a job and its services, with the login that each one's registry wants.

use bollard::Docker;
use bollard::models::ImageInspect;

use super::credentials::find_login;
use super::images::{self, ImageError};
use crate::config::RunnerConfig;
use crate::disk::ledger::Ledger;
use crate::log::Log;
use crate::variables::Variables;
use shipway_protocol::JobPayload;

/// An image to be had.
pub(super) struct Wanted<'a> {
    /// Its reference, variables expanded.
    pub(super) name: &'a str,
    /// The policies that the job asks for.
    pub(super) pull_policy: Option<&'a [String]>,
    /// `linux/arm64` and the like; empty is the engine's own.
    pub(super) platform: &'a str,
}

/// An image that is here.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// `sha256:…`
    pub(super) id: String,
    /// What the engine knows of it.
    pub(super) details: ImageInspect,
}

/// Brings a job's images here.
pub(super) struct Puller<'a> {
    pub(super) engine: &'a Docker,
    pub(super) config: &'a RunnerConfig,
    pub(super) payload: &'a JobPayload,
    pub(super) variables: &'a Variables,
}

impl Puller<'_> {
    /// Gets an image by the first policy that works, and says so.
    pub(super) async fn get(&self, wanted: Wanted<'_>, log: &mut Log) -> Result<Found, ImageError> {
        let policies = images::effective_policies(
            wanted.pull_policy.unwrap_or_default(),
            &self.config.pull_policies,
            &self.config.allowed_pull_policies,
        )?;
        let (login, warnings) = find_login(
            wanted.name,
            &self.variables.get("DOCKER_AUTH_CONFIG"),
            self.config.docker_config.as_deref(),
            &self.payload.credentials,
        )
        .await;
        for warning in warnings {
            log.warning(&warning).await;
        }
        if let Some(login) = &login {
            log.line(&format!(
                "Authenticating with credentials from {}",
                login.origin
            ))
            .await;
        }
        let ledger = self.config.ledger_dir.as_deref();
        let ledger =
            ledger.map(|directory| Ledger::new(directory, self.config.docker_host.as_deref()));
        let before = match &ledger {
            Some(_) => self.id_of(wanted.name).await,
            None => None,
        };
        let credentials = login.map(|login| login.credentials);
        let details = images::get_image(
            self.engine,
            wanted.name,
            &policies,
            credentials.as_ref(),
            wanted.platform,
            log,
        )
        .await?;
        let id = details.id.clone().unwrap_or_else(|| wanted.name.to_owned());
        if let Some(ledger) = ledger {
            let replaced = |before: &String| *before != id && ledger.has(before);
            let pulled = before.as_ref().is_none_or(replaced);
            if let Err(error) = ledger.note(&id, wanted.name, pulled) {
                tracing::warn!(%error, image = wanted.name, "the image's use is not written down");
            }
        }
        let digest = (details.repo_digests.iter().flatten().next())
            .map(|digest| format!(" with digest {digest}"))
            .unwrap_or_default();
        log.line(&format!(
            "Using docker image {id} for {}{digest} ...",
            wanted.name
        ))
        .await;
        Ok(Found { id, details })
    }

    /// The id of an image that is here.
    async fn id_of(&self, image: &str) -> Option<String> {
        self.engine.inspect_image(image).await.ok()?.id
    }
}
