//! The configuration as typed, plain data: what the YAML means once everything is merged.
//!
//! Values carry no positions, so that they can be stored with a pipeline and compared in
//! tables; where a value came from is asked of [`crate::Config::origin`].

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

/// One entry of `rules`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// The expression's text; it has been checked to parse.
    pub condition: Option<String>,
    /// `when`.
    pub when: Option<When>,
    /// Seconds.
    pub start_in: Option<u64>,
    /// `allow_failure`.
    pub allow_failure: Option<bool>,
    /// Merged over the job's variables.
    pub variables: Variables,
    /// Replaces the job's needs.
    pub needs: Option<Vec<Need>>,
    /// `interruptible`.
    pub interruptible: Option<bool>,
}

/// `only` or `except`; the issue of the whole language adds the other sub-keys.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Ref names, `/patterns/` and keywords; `None` when the sub-key is absent.
    pub refs: Option<Vec<String>>,
    /// `rules:if` expressions; `None` when the sub-key is absent.
    pub variables: Option<Vec<String>>,
}

/// When a job starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// What came before succeeded.
    #[default]
    OnSuccess,
    /// Something before failed.
    OnFailure,
    /// Whatever happened, unless cancelled.
    Always,
    /// When a person plays it.
    Manual,
    /// Some time after what came before succeeded.
    Delayed,
    /// Not at all; only in rules.
    Never,
}

impl When {
    /// The name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnSuccess => "on_success",
            Self::OnFailure => "on_failure",
            Self::Always => "always",
            Self::Manual => "manual",
            Self::Delayed => "delayed",
            Self::Never => "never",
        }
    }
}

/// `allow_failure`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AllowFailure {
    /// Every failure, or none.
    Always(bool),
    /// Failures with one of these exit codes.
    ExitCodes(Vec<i32>),
}

/// One entry of `needs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// The needed job's full name; parallel jobs are already resolved to their instances.
    pub job: String,
    /// Whether its archive is downloaded.
    pub artifacts: bool,
    /// Whether it may be missing from the pipeline.
    pub optional: bool,
}

/// `artifacts`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Artifacts {
    /// Base name of the archive.
    pub name: Option<String>,
    /// Globs.
    pub paths: Vec<String>,
    /// Globs taken out again.
    pub exclude: Vec<String>,
    /// Adds all files git does not track.
    pub untracked: bool,
    /// On which result the archive is uploaded.
    pub when: ResultWhen,
    /// Text of the duration, or `never`.
    pub expire_in: Option<String>,
    /// Report type to its paths, `junit` and `dotenv` and the like, in file order.
    pub reports: IndexMap<String, Vec<String>>,
    /// Link text in merge requests.
    pub expose_as: Option<String>,
    /// `all`, `developer`, `maintainer` or `none`.
    pub access: Option<String>,
}

/// On which result something is uploaded or saved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultWhen {
    /// After success.
    #[default]
    OnSuccess,
    /// After failure.
    OnFailure,
    /// Always.
    Always,
}

/// One cache.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cache {
    /// What names it.
    pub key: CacheKey,
    /// Globs.
    pub paths: Vec<String>,
    /// Adds all files git does not track.
    pub untracked: bool,
    /// Shared between protected and unprotected refs.
    pub unprotect: bool,
    /// When it is saved.
    pub when: ResultWhen,
    /// `pull-push`, `pull`, `push`, or text with variables.
    pub policy: String,
    /// Tried in order when the key has nothing.
    pub fallback_keys: Vec<String>,
}

/// `cache:key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheKey {
    /// A text with variables.
    Text(String),
    /// A digest of the files' content.
    Files {
        /// Paths or globs.
        files: Vec<String>,
        /// Put before the digest.
        prefix: Option<String>,
    },
}

impl Default for CacheKey {
    fn default() -> Self {
        Self::Text("default".to_owned())
    }
}

/// `retry`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// 0, 1 or 2.
    pub max: u8,
    /// Failure reasons or `always`; empty means always unless exit codes are given.
    pub when: Vec<String>,
    /// Exit codes.
    pub exit_codes: Vec<i32>,
}

/// Which instance of a parallel job this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParallelInstance {
    /// From 1.
    pub index: u32,
    /// How many there are.
    pub total: u32,
}

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
}

/// `workflow`: which pipelines are created at all, and how they behave as a whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Workflow {
    /// The pipeline's name, with variables.
    pub name: Option<String>,
    /// `None`: not given, every pipeline is created. The first rule that matches decides;
    /// none: no pipeline.
    pub rules: Option<Vec<WorkflowRule>>,
    /// What cancels jobs.
    pub auto_cancel: AutoCancel,
}

/// One entry of `workflow:rules`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkflowRule {
    /// The expression's text; it has been checked to parse.
    pub condition: Option<String>,
    /// `Always` or `Never`; not given means `Always`.
    pub when: Option<When>,
    /// Become variables of the pipeline, over the top-level ones.
    pub variables: Variables,
    /// Replaces `workflow:auto_cancel` key by key.
    pub auto_cancel: AutoCancel,
}

/// `auto_cancel`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoCancel {
    /// `conservative` (when not given), `interruptible` or `none`.
    pub on_new_commit: Option<String>,
    /// `none` (when not given) or `all`.
    pub on_job_failure: Option<String>,
}

/// What the form for manual runs shows about a top-level variable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefilledVariable {
    /// Markdown.
    pub description: Option<String>,
    /// The values to choose from; empty means any.
    pub options: Vec<String>,
}
