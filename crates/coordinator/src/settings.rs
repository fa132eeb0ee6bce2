//! A project's CI/CD settings, as they are kept in its row.

use serde::{Deserialize, Serialize};
use shipway_store::ProjectRow;

/// GitLab's default time limit of a project's jobs, in seconds.
pub const DEFAULT_TIMEOUT: u64 = 3600;

/// The CI/CD settings of a project, named as in GitLab's projects API. What is missing in the
/// row has its default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProjectSettings {
    /// Seconds a job may take where it does not say.
    pub build_timeout: u64,
    /// The configuration's path; empty for `.gitlab-ci.yml`.
    pub ci_config_path: String,
    /// The regular expression that finds the coverage of jobs without `coverage`; empty for
    /// none.
    pub build_coverage_regex: String,
    /// A newer pipeline of a ref cancels its older ones, as far as they are interruptible.
    pub auto_cancel_pending_pipelines: bool,
    /// The newest successful pipeline of a ref keeps its artifacts past their time.
    pub keep_latest_artifact: bool,
    /// Runners of the instance take its jobs.
    pub shared_runners_enabled: bool,
    /// Runners of its groups take its jobs.
    pub group_runners_enabled: bool,
    /// Whoever sees the project sees its pipelines and logs.
    pub public_jobs: bool,
    /// Commits that a job's clone has; 0 for all.
    pub ci_default_git_depth: u32,
    /// `fetch` or `clone`.
    pub build_git_strategy: String,
    /// Caches of protected and other refs are kept apart.
    pub ci_separated_caches: bool,
    /// How often the caches were cleared: part of every key, so that older ones are not found.
    pub jobs_cache_index: u64,
    /// Who may give a pipeline variables of its own.
    pub ci_pipeline_variables_minimum_override_role: OverrideRole,
    /// A job does not deploy to an environment that a newer job has deployed to.
    pub ci_forward_deployment_enabled: bool,
    /// But one that deployed before may do so again.
    pub ci_forward_deployment_rollback_allowed: bool,
    /// How merge requests are merged.
    pub merge_method: MergeMethod,
    /// Whether their commits become one.
    pub squash_option: SquashOption,
}

/// How merge requests are merged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MergeMethod {
    /// With a commit of two parents.
    #[default]
    Merge,
    /// The same, but only of a branch that goes on from its target.
    RebaseMerge,
    /// The target moves on to the branch's commit, which has to go on from it.
    Ff,
}

impl MergeMethod {
    /// Every choice, with its name in the API and for people.
    pub const ALL: [(&'static str, &'static str, Self); 3] = [
        ("merge", "With a merge commit", Self::Merge),
        (
            "rebase_merge",
            "With a merge commit, of what goes on from the target",
            Self::RebaseMerge,
        ),
        ("ff", "Fast-forward, without a merge commit", Self::Ff),
    ];

    /// The choice of this name.
    pub fn named(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(known, ..)| *known == name);
        found.map(|(.., method)| *method)
    }

    /// What the API calls it.
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(.., method)| *method == self);
        found.map_or("merge", |(name, ..)| name)
    }
}

/// Whether the commits of a merge request become one when it is merged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SquashOption {
    /// They never do.
    Never,
    /// They always do.
    Always,
    /// Where nobody wishes otherwise.
    DefaultOn,
    /// Where somebody wishes it.
    #[default]
    DefaultOff,
}

impl SquashOption {
    /// Every choice, with its name in the API and for people.
    pub const ALL: [(&'static str, &'static str, Self); 4] = [
        ("never", "Never", Self::Never),
        ("default_off", "When asked for", Self::DefaultOff),
        ("default_on", "Unless asked not to", Self::DefaultOn),
        ("always", "Always", Self::Always),
    ];

    /// The choice of this name.
    pub fn named(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(known, ..)| *known == name);
        found.map(|(.., option)| *option)
    }

    /// What the API calls it.
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(.., option)| *option == self);
        found.map_or("default_off", |(name, ..)| name)
    }

    /// Whether there is a choice.
    pub fn is_free(self) -> bool {
        matches!(self, Self::DefaultOn | Self::DefaultOff)
    }

    /// What becomes of a wish.
    pub fn decides(self, wish: Option<bool>) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::DefaultOn => wish.unwrap_or(true),
            Self::DefaultOff => wish.unwrap_or(false),
        }
    }
}

/// From which role on members set the variables of pipelines that they start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverrideRole {
    /// Nobody does.
    NoOneAllowed,
    /// Who may start pipelines.
    #[default]
    Developer,
    /// Maintainers and owners.
    Maintainer,
    /// Owners.
    Owner,
}

impl OverrideRole {
    /// Every choice, with its name in the API and for people.
    pub const ALL: [(&'static str, &'static str, Self); 4] = [
        ("developer", "Developers", Self::Developer),
        ("maintainer", "Maintainers", Self::Maintainer),
        ("owner", "Owners", Self::Owner),
        ("no_one_allowed", "Nobody", Self::NoOneAllowed),
    ];

    /// The choice of this name.
    pub fn named(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(known, ..)| *known == name);
        found.map(|(.., role)| *role)
    }

    /// What the API calls it.
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(.., role)| *role == self);
        found.map_or("developer", |(name, ..)| name)
    }

    /// Whether a member with this access level may.
    pub fn admits(self, level: i64) -> bool {
        match self {
            Self::NoOneAllowed => false,
            Self::Developer => level >= 30,
            Self::Maintainer => level >= 40,
            Self::Owner => level >= 50,
        }
    }
}

impl Default for ProjectSettings {
    fn default() -> Self {
        Self {
            build_timeout: DEFAULT_TIMEOUT,
            ci_config_path: String::new(),
            build_coverage_regex: String::new(),
            auto_cancel_pending_pipelines: true,
            keep_latest_artifact: true,
            shared_runners_enabled: true,
            group_runners_enabled: true,
            public_jobs: true,
            ci_default_git_depth: 20,
            build_git_strategy: "fetch".to_owned(),
            ci_separated_caches: true,
            jobs_cache_index: 0,
            ci_pipeline_variables_minimum_override_role: OverrideRole::Developer,
            ci_forward_deployment_enabled: true,
            ci_forward_deployment_rollback_allowed: true,
            merge_method: MergeMethod::Merge,
            squash_option: SquashOption::DefaultOff,
        }
    }
}

impl ProjectSettings {
    /// The settings of a project. A row that cannot be read has the defaults: no setting is
    /// worth that a project cannot be opened any more.
    pub fn of(project: &ProjectRow) -> Self {
        serde_json::from_str(&project.settings).unwrap_or_else(|error| {
            if !project.settings.is_empty() {
                tracing::warn!(project = project.id.0, %error, "project.settings.unreadable");
            }
            Self::default()
        })
    }

    /// As the row keeps them.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The configuration's path.
    pub fn config_path(&self) -> &str {
        match self.ci_config_path.trim() {
            "" => ".gitlab-ci.yml",
            path => path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_as_it_is_called() {
        for (name, _, method) in MergeMethod::ALL {
            assert_eq!(
                (MergeMethod::named(name), method.name()),
                (Some(method), name)
            );
            let kept = serde_json::to_string(&method).unwrap();
            assert_eq!(kept, format!("\"{name}\""));
        }
        // Nothing wished, no, yes.
        for (name, expected) in [
            ("never", [false, false, false]),
            ("always", [true, true, true]),
            ("default_on", [true, false, true]),
            ("default_off", [false, false, true]),
        ] {
            let option = SquashOption::named(name).unwrap();
            let found = [None, Some(false), Some(true)].map(|wish| option.decides(wish));
            assert_eq!((option.name(), found), (name, expected));
        }
    }

    #[test]
    fn roles_that_override() {
        for (name, least) in [("developer", 30), ("maintainer", 40), ("owner", 50)] {
            let role = OverrideRole::named(name).unwrap();
            assert_eq!(role.name(), name);
            assert!(role.admits(least) && !role.admits(least - 1), "{name}");
        }
        let nobody = OverrideRole::named("no_one_allowed").unwrap();
        assert!(!nobody.admits(60));
        assert_eq!(OverrideRole::named("guest"), None);
    }

    #[test]
    fn what_is_missing_has_its_default() {
        let read: ProjectSettings = serde_json::from_str(r#"{"build_timeout": 60}"#).unwrap();
        let expected = ProjectSettings {
            build_timeout: 60,
            ..ProjectSettings::default()
        };
        assert_eq!(read, expected);
        assert_eq!(
            serde_json::from_str::<ProjectSettings>(&read.to_json()).unwrap(),
            read
        );
        assert_eq!(read.config_path(), ".gitlab-ci.yml");
    }
}
