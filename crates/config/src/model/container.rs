//! Containers of a job: its image and its services.

use super::Variables;
use serde::{Deserialize, Serialize};

/// A container image.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// The reference, with variables.
    pub name: String,
    /// Replaces the image's entrypoint.
    #[serde(default)]
    pub entrypoint: Option<Vec<String>>,
    /// Tried in order.
    #[serde(default)]
    pub pull_policy: Vec<PullPolicy>,
    /// `docker:platform`.
    #[serde(default)]
    pub platform: Option<String>,
    /// `docker:user`.
    #[serde(default)]
    pub user: Option<String>,
    /// `kubernetes:user`, which only a Kubernetes executor heeds.
    #[serde(default)]
    pub kubernetes_user: Option<String>,
}

/// A service container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// The image with its options.
    pub image: Image,
    /// More host names.
    pub alias: Option<String>,
    /// Replaces the image's command.
    pub command: Option<Vec<String>>,
    /// Variables of this service alone.
    pub variables: Variables,
}

/// When an image is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PullPolicy {
    /// Each time.
    Always,
    /// Only when there is no local image.
    IfNotPresent,
    /// Never.
    Never,
}

impl PullPolicy {
    /// The name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::IfNotPresent => "if-not-present",
            Self::Never => "never",
        }
    }
}
