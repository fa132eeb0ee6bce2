//! What a pipeline is created for: the ref, the source and the variables around the file.

use serde::{Deserialize, Serialize};
use shipway_config::variables::Collection;

/// What a pipeline is created for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Context {
    /// Branch or tag name without prefix.
    pub ref_name: String,
    /// What the ref is.
    pub ref_kind: RefKind,
    /// What made the pipeline: `CI_PIPELINE_SOURCE`.
    pub source: Source,
    /// The project's whole path, for `name@group/project` in `only`.
    pub project_path: String,
    /// Predefined variables that exist before the pipeline: the lowest level.
    pub predefined: Collection,
    /// Instance, group and project variables, then those of the pipeline itself, in rising
    /// precedence: above everything in the file.
    pub outer: Collection,
}

impl Context {
    /// The variables that `include` may use: all that exist before the file is read.
    pub fn known_to_includes(&self) -> Collection {
        let predefined = self.predefined.iter();
        predefined.chain(self.outer.iter()).cloned().collect()
    }
}

/// What a ref is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefKind {
    /// A branch.
    #[default]
    Branch,
    /// A tag.
    Tag,
    /// The head of a merge request.
    MergeRequest,
}

impl RefKind {
    /// The name in storage and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Branch => "branch",
            Self::Tag => "tag",
            Self::MergeRequest => "merge_request",
        }
    }
}

/// What made a pipeline (language inventory, 2.6 and 2.7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A push.
    #[default]
    Push,
    /// A person on a page.
    Web,
    /// A trigger token.
    Trigger,
    /// A schedule.
    Schedule,
    /// The pipelines API.
    Api,
    /// Another CI.
    External,
    /// Another project's pipeline.
    Pipeline,
    /// A chat command.
    Chat,
    /// The web editor.
    Webide,
    /// A merge request.
    MergeRequestEvent,
    /// A pull request elsewhere.
    ExternalPullRequestEvent,
    /// A parent pipeline of the same project.
    ParentPipeline,
}

impl Source {
    /// Every source with its `CI_PIPELINE_SOURCE` value and its keyword in `only`.
    pub const ALL: [(Self, &'static str, &'static str); 12] = [
        (Self::Push, "push", "pushes"),
        (Self::Web, "web", "web"),
        (Self::Trigger, "trigger", "triggers"),
        (Self::Schedule, "schedule", "schedules"),
        (Self::Api, "api", "api"),
        (Self::External, "external", "external"),
        (Self::Pipeline, "pipeline", "pipelines"),
        (Self::Chat, "chat", "chat"),
        (Self::Webide, "webide", "webides"),
        (
            Self::MergeRequestEvent,
            "merge_request_event",
            "merge_requests",
        ),
        (
            Self::ExternalPullRequestEvent,
            "external_pull_request_event",
            "external_pull_requests",
        ),
        (Self::ParentPipeline, "parent_pipeline", "parent_pipelines"),
    ];

    /// The value of `CI_PIPELINE_SOURCE`.
    pub fn as_str(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// The word that stands for it in `only` and `except`.
    pub fn keyword(self) -> &'static str {
        Self::ALL[self as usize].2
    }
}

impl std::str::FromStr for Source {
    type Err = UnknownSource;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|(_, name, _)| *name == text)
            .map(|(source, _, _)| source)
            .ok_or_else(|| UnknownSource(text.to_owned()))
    }
}

/// A word that is no value of `CI_PIPELINE_SOURCE`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a pipeline source; use one of {list}",
    list = Source::ALL.map(|(_, name, _)| name).join(", ")
)]
pub struct UnknownSource(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_stands_at_its_own_place_in_the_table() {
        for (source, name, _) in Source::ALL {
            assert_eq!(source.as_str(), name);
            assert_eq!(name.parse::<Source>(), Ok(source));
        }
    }
}
