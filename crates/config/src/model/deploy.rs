//! What comes of a job outside of it: environments, releases, pages.

use serde::{Deserialize, Serialize};

/// `environment`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// The name, with variables.
    pub name: String,
    /// The address, with variables.
    pub url: Option<String>,
    /// `start`, `prepare`, `stop`, `verify` or `access`.
    pub action: String,
    /// The job that stops it.
    pub on_stop: Option<String>,
    /// Text of the duration.
    pub auto_stop_in: Option<String>,
    /// The tier.
    pub deployment_tier: Option<String>,
    /// The cluster behind it.
    #[serde(default)]
    pub kubernetes: Option<Kubernetes>,
}

/// `environment:kubernetes`; kept for those who show it, nothing here acts on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kubernetes {
    /// `path/to/project:agent`.
    pub agent: Option<String>,
    /// What the dashboard of the environment shows.
    pub dashboard: Dashboard,
    /// `managed_resources:enabled`.
    pub managed_resources: Option<bool>,
}

/// `environment:kubernetes:dashboard`, also in its old place one level up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dashboard {
    /// The namespace that is shown.
    pub namespace: Option<String>,
    /// The path of the Flux resource.
    pub flux_resource_path: Option<String>,
}

/// `release`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The tag, with variables; made at the pipeline's commit where it is missing.
    pub tag_name: String,
    /// Makes the tag an annotated one.
    pub tag_message: Option<String>,
    /// `None`: the tag's name.
    pub name: Option<String>,
    /// A text, or the path of a file with it.
    pub description: String,
    /// Where the tag is made; `None`: the pipeline's commit.
    pub git_ref: Option<String>,
    /// Titles of milestones.
    pub milestones: Vec<String>,
    /// A point in time of ISO 8601.
    pub released_at: Option<String>,
    /// `assets:links`.
    pub links: Vec<ReleaseLink>,
}

/// An entry of `release:assets:links`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseLink {
    /// What is shown.
    pub name: String,
    /// Where it leads.
    pub url: String,
    /// The last part of a permanent address.
    pub filepath: Option<String>,
    /// `runbook`, `package`, `image` or `other`.
    pub link_type: Option<String>,
}

/// `pages`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pages {
    /// The folder that is published, with variables.
    pub publish: String,
    /// The part of the address behind the site's, with variables.
    pub path_prefix: Option<String>,
    /// Text of the duration, or `never`.
    pub expire_in: Option<String>,
}
