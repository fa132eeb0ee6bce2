//! The configuration as typed, plain data: what the YAML means once everything is merged.
//!
//! Values carry no positions, so that they can be stored with a pipeline and compared in
//! tables; where a value came from is asked of [`crate::Config::origin`].

mod container;
mod deploy;
mod downstream;
mod flow;
mod inputs;
mod outputs;
mod rules;
mod secrets;
mod workflow;

pub use container::{Image, PullPolicy, Service};
pub use deploy::{Dashboard, Environment, Kubernetes, Pages, Release, ReleaseLink};
pub use downstream::{CrossNeed, Forward, Need, Strategy, Trigger};
pub use flow::{AllowFailure, ParallelInstance, Retry, When};
pub use inputs::{Input, InputRule, InputType};
pub use outputs::{Artifacts, Cache, CacheKey, ResultWhen};
pub use rules::{Changes, Exists, Policy, Rule};
pub use secrets::{DastConfiguration, Secret};
pub use workflow::{AutoCancel, PrefilledVariable, Workflow, WorkflowRule};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// Variables in the order in which they were written.
pub type Variables = IndexMap<String, VariableValue>;

/// The value of a variable in YAML.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariableValue {
    /// The text; numbers and booleans are already text.
    pub value: String,
    /// `expand: false`: neither the coordinator nor the runner expands it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub raw: bool,
}

/// One visible job after `extends`, `default` and `parallel` were applied.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The full name, `p 1/3` for an instance of a parallel job.
    pub name: String,
    /// The key in the file: `p` for `p 1/3`.
    pub key: String,
    /// The stage's name.
    pub stage: String,
    /// Commands before `script`, in the same shell.
    pub before_script: Vec<String>,
    /// The job's commands.
    pub script: Vec<String>,
    /// `run`: steps in place of `script`.
    #[serde(default)]
    pub run: Option<serde_json::Value>,
    /// Commands after the job, in a shell of their own.
    pub after_script: Vec<String>,
    /// The container image.
    pub image: Option<Image>,
    /// Service containers.
    pub services: Vec<Service>,
    /// The job's own variables, those of its matrix included.
    pub variables: Variables,
    /// Which top-level variables the job sees.
    pub inherit_variables: Inherit,
    /// `None`: not given. `Some([])`: the job is never added.
    pub rules: Option<Vec<Rule>>,
    /// `None` where `rules` or `workflow:rules` are given; else at least branches and tags.
    pub only: Option<Policy>,
    /// `except`.
    pub except: Option<Policy>,
    /// `None`: not given, meaning `on_success`.
    pub when: Option<When>,
    /// Seconds of delay for `when: delayed`.
    pub start_in: Option<u64>,
    /// `None`: not given; the default depends on `when`.
    pub allow_failure: Option<AllowFailure>,
    /// `None`: ordered by stages. `Some([])`: starts at once.
    pub needs: Option<Vec<Need>>,
    /// Needs of other pipelines: their archives are downloaded, nothing waits for them.
    #[serde(default)]
    pub cross_needs: Vec<CrossNeed>,
    /// `None`: archives of all earlier jobs. `Some([])`: none.
    pub dependencies: Option<Vec<String>>,
    /// What is kept.
    pub artifacts: Option<Artifacts>,
    /// Caches, at most four.
    pub cache: Vec<Cache>,
    /// A runner must have all of them.
    pub tags: Vec<String>,
    /// `None`: not given.
    pub retry: Option<Retry>,
    /// Seconds.
    pub timeout: Option<u64>,
    /// The regular expression between its slashes, as RE2.
    pub coverage: Option<String>,
    /// Number (from 1) and total of an instance of a parallel job.
    pub parallel: Option<ParallelInstance>,
    /// Whether a newer pipeline may cancel it.
    pub interruptible: Option<bool>,
    /// Jobs of one group never run together.
    pub resource_group: Option<String>,
    /// Where the job deploys to.
    pub environment: Option<Environment>,
    /// The job starts another pipeline, or mirrors one, and runs no commands.
    #[serde(default)]
    pub trigger: Option<Trigger>,
    /// Commands before the sources are fetched: `hooks:pre_get_sources_script`.
    #[serde(default)]
    pub pre_get_sources_script: Vec<String>,
    /// The release made after the job succeeded.
    #[serde(default)]
    pub release: Option<Release>,
    /// The site that is published after the job succeeded.
    #[serde(default)]
    pub pages: Option<Pages>,
    /// Values from providers outside, by the variable they become.
    #[serde(default)]
    pub secrets: IndexMap<String, Secret>,
    /// Audiences of the tokens, by the variable they become.
    #[serde(default)]
    pub id_tokens: IndexMap<String, Vec<String>>,
    /// `identity`: `google_cloud`.
    #[serde(default)]
    pub identity: Option<String>,
    /// What may be chosen when the job is played, by name.
    #[serde(default)]
    pub inputs: IndexMap<String, Input>,
    /// What a person is asked before a manual job runs.
    #[serde(default)]
    pub manual_confirmation: Option<String>,
    /// `dast_configuration`: site and scanner profile.
    #[serde(default)]
    pub dast_configuration: Option<DastConfiguration>,
}

/// Which of the inheritable things a job takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inherit {
    /// All of them.
    #[default]
    All,
    /// None.
    None,
    /// Those named.
    Only(Vec<String>),
}

impl Inherit {
    /// Whether the thing of this name is taken.
    pub fn takes(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Only(names) => names.iter().any(|candidate| candidate == name),
        }
    }
}
