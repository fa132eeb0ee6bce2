//! Getting a job's image: policies in order, logins, and what a failure means.

use std::time::Duration;

use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::models::ImageInspect;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::TryStreamExt;
use shipway_protocol::FailureReason;

use crate::config::PullPolicy;
use crate::log::Log;

/// For the engine to begin its answer to a pull, which it does with the first progress.
const PULL_TIMEOUT: Duration = Duration::from_secs(3600);
/// Trouble of the network is tried so many times within one policy.
const TRIES: usize = 3;

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    /// A job asks for a policy this runner does not allow.
    #[error(
        "pull_policy ({}) defined in GitLab pipeline config is not one of the allowed_pull_policies ({})",
        list(asked),
        list(allowed)
    )]
    PolicyNotAllowed {
        asked: Vec<String>,
        allowed: Vec<String>,
    },
    /// No policy led to an image.
    #[error("failed to pull image \"{image}\" with specified policies {}: {reason}{}", list(policies), hint(*cause))]
    NotPulled {
        image: String,
        policies: Vec<String>,
        reason: String,
        cause: PullCause,
    },
}

/// Whose trouble a failed pull is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PullCause {
    /// There is no such image, or not for this user.
    Configuration,
    /// The network or the registry.
    Network,
    /// Something else.
    Other,
}

impl ImageError {
    /// The failure reason the job gets.
    pub(crate) fn failure_reason(&self) -> FailureReason {
        match self {
            Self::PolicyNotAllowed { .. } => FailureReason::RunnerConfigurationError,
            Self::NotPulled { cause, .. } => match cause {
                PullCause::Configuration => FailureReason::RunnerConfigurationError,
                PullCause::Network => FailureReason::RunnerExternalDependencyFailure,
                PullCause::Other => FailureReason::ImagePullFailure,
            },
        }
    }
}

fn list(names: &[String]) -> String {
    format!("[{}]", names.join(" "))
}

fn hint(cause: PullCause) -> &'static str {
    match cause {
        PullCause::Configuration => {
            ". Check the image's name and, for a private registry, the login (`docker login` or DOCKER_AUTH_CONFIG)"
        }
        PullCause::Network => ". Check that the registry is reachable from this machine",
        PullCause::Other => "",
    }
}

/// The policies to try: what the job asks for as far as it is allowed, else the runner's.
pub(crate) fn effective_policies(
    asked: &[String],
    configured: &[PullPolicy],
    allowed: &[PullPolicy],
) -> Result<Vec<PullPolicy>, ImageError> {
    let allowed = if allowed.is_empty() {
        configured
    } else {
        allowed
    };
    let wanted: Vec<PullPolicy> = if asked.is_empty() {
        configured.to_vec()
    } else {
        asked
            .iter()
            .filter_map(|name| PullPolicy::from_name(name))
            .collect()
    };
    let policies: Vec<PullPolicy> = wanted
        .into_iter()
        .filter(|policy| allowed.contains(policy))
        .collect();
    if policies.is_empty() {
        let names = |policies: &[PullPolicy]| {
            let names = policies.iter().map(|policy| policy.as_str().to_owned());
            names.collect::<Vec<_>>()
        };
        let asked = if asked.is_empty() {
            names(configured)
        } else {
            asked.to_vec()
        };
        return Err(ImageError::PolicyNotAllowed {
            asked,
            allowed: names(allowed),
        });
    }
    Ok(policies)
}

/// Brings an image here by the first policy that works, and describes it.
pub(crate) async fn get_image(
    docker: &Docker,
    image: &str,
    policies: &[PullPolicy],
    credentials: Option<&DockerCredentials>,
    platform: &str,
    log: &mut Log,
) -> Result<ImageInspect, ImageError> {
    let names: Vec<String> = policies
        .iter()
        .map(|policy| policy.as_str().to_owned())
        .collect();
    log.line(&format!(
        "Using effective pull policy of {} for container {image}",
        list(&names)
    ))
    .await;
    let mut last = (String::new(), PullCause::Other);
    for (index, policy) in policies.iter().enumerate() {
        if index > 0 {
            log.line(&format!(
                "Attempt #{}: Trying \"{}\" pull policy",
                index + 1,
                policy.as_str()
            ))
            .await;
        }
        match by_policy(docker, image, *policy, credentials, platform, log).await {
            Ok(found) => return Ok(found),
            Err(reason) => {
                log.warning(&format!(
                    "Failed to pull image with policy \"{}\": {reason}",
                    policy.as_str()
                ))
                .await;
                let cause = classify(&reason);
                last = (reason, cause);
            }
        }
    }
    Err(ImageError::NotPulled {
        image: image.to_owned(),
        policies: names,
        reason: last.0,
        cause: last.1,
    })
}

async fn by_policy(
    docker: &Docker,
    image: &str,
    policy: PullPolicy,
    credentials: Option<&DockerCredentials>,
    platform: &str,
    log: &mut Log,
) -> Result<ImageInspect, String> {
    let local = docker.inspect_image(image).await.map_err(words);
    let by_id = image.starts_with("sha256:");
    match (policy, local) {
        (PullPolicy::Never, local) => return local,
        (PullPolicy::IfNotPresent, Ok(local)) => {
            log.line("Using locally found image version due to \"if-not-present\" pull policy")
                .await;
            return Ok(local);
        }
        (_, local) if by_id => return local,
        _ => {}
    }
    log.line(&format!("Pulling docker image {image} ...")).await;
    let (from, tag) = split_reference(image);
    let patient = docker.clone().with_timeout(PULL_TIMEOUT);
    let mut last = String::new();
    for _ in 0..TRIES {
        let mut options = CreateImageOptionsBuilder::default().from_image(from);
        if !tag.is_empty() {
            options = options.tag(tag);
        }
        if !platform.is_empty() {
            options = options.platform(platform);
        }
        let pulled = patient
            .create_image(Some(options.build()), None, credentials.cloned())
            .try_for_each(|_| async { Ok(()) })
            .await;
        match pulled {
            Ok(()) => return docker.inspect_image(image).await.map_err(words),
            Err(error) => last = words(error),
        }
        if classify(&last) != PullCause::Network {
            break;
        }
    }
    Err(last)
}

/// An engine's error in its own words.
pub(crate) fn words(error: bollard::errors::Error) -> String {
    match error {
        bollard::errors::Error::DockerResponseServerError { message, .. } => message,
        bollard::errors::Error::DockerStreamError { error } => error,
        other => crate::failure::with_causes(&other),
    }
}

/// An image's name and tag: none means `latest`, and a digest stays part of the name.
fn split_reference(image: &str) -> (&str, &str) {
    if image.contains('@') {
        return (image, "");
    }
    match image.rsplit_once(':') {
        // What has a slash behind the colon is a registry's port.
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    }
}

/// Tells from the engine's words whose trouble it is; there is nothing else to tell by.
fn classify(reason: &str) -> PullCause {
    const CONFIGURATION: [&str; 9] = [
        "not found",
        "no such image",
        "manifest unknown",
        "does not exist",
        "denied",
        "unauthorized",
        "authentication required",
        "invalid reference",
        "no matching manifest",
    ];
    const NETWORK: [&str; 11] = [
        "timeout",
        "connection refused",
        "connection reset",
        "no such host",
        "dial tcp",
        "tls handshake",
        "network is unreachable",
        "no route to host",
        "temporary failure",
        "server misbehaving",
        "eof",
    ];
    let reason = reason.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if has(&NETWORK) {
        PullCause::Network
    } else if has(&CONFIGURATION) {
        PullCause::Configuration
    } else {
        PullCause::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PullPolicy::{Always, IfNotPresent, Never};

    #[test]
    fn references_are_split() {
        for (image, name, tag) in [
            ("alpine", "alpine", "latest"),
            ("alpine:3", "alpine", "3"),
            ("localhost:5000/a", "localhost:5000/a", "latest"),
            ("localhost:5000/a:1", "localhost:5000/a", "1"),
            ("a@sha256:12", "a@sha256:12", ""),
            ("r:5/a:1@sha256:12", "r:5/a:1@sha256:12", ""),
        ] {
            assert_eq!(split_reference(image), (name, tag), "{image}");
        }
    }

    #[test]
    fn a_job_may_only_ask_for_allowed_policies() {
        let asked =
            |names: &[&str]| -> Vec<String> { names.iter().map(|name| (*name).into()).collect() };
        for (names, configured, allowed, expected) in [
            (&[][..], &[Always][..], &[][..], &[Always][..]),
            (
                &["never", "always"],
                &[Always],
                &[Always, Never],
                &[Never, Always],
            ),
            (&["never", "always"], &[Always], &[], &[Always]),
            (&["unknown", "never"], &[Always], &[Never], &[Never]),
            (&[], &[IfNotPresent, Always], &[Always], &[Always]),
        ] {
            let policies = effective_policies(&asked(names), configured, allowed);
            assert_eq!(policies.unwrap(), expected);
        }
        let refused = effective_policies(&asked(&["never"]), &[Always], &[]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "pull_policy ([never]) defined in GitLab pipeline config is not one of the \
             allowed_pull_policies ([always])"
        );
        assert_eq!(
            refused.failure_reason(),
            FailureReason::RunnerConfigurationError
        );
    }

    #[test]
    fn causes_are_told_by_the_engines_words() {
        for (reason, cause) in [
            (
                "manifest for a:1 not found: manifest unknown",
                PullCause::Configuration,
            ),
            (
                "pull access denied for x, repository does not exist",
                PullCause::Configuration,
            ),
            (
                "Get \"http://localhost:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused",
                PullCause::Network,
            ),
            (
                "dial tcp: lookup nowhere.example: no such host",
                PullCause::Network,
            ),
            ("no space left on device", PullCause::Other),
        ] {
            assert_eq!(classify(reason), cause, "{reason}");
        }
    }
}
