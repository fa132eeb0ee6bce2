//! The job a runner receives: the body of `201 POST /api/v4/jobs/request`.

use serde::{Deserialize, Serialize};

/// Everything a runner needs to execute one job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JobPayload {
    /// The job's id, unique on the coordinator.
    pub id: i64,
    /// The job token: authenticates trace, update and artifact calls of this job.
    pub token: String,
    /// `true`: the default `GIT_STRATEGY` is `fetch`, else `clone`.
    #[serde(default)]
    pub allow_git_fetch: bool,
    /// Which job of which project this is.
    pub job_info: JobInfo,
    /// Where the sources come from.
    pub git_info: GitInfo,
    /// Limits the coordinator sets for this job.
    pub runner_info: RunnerInfo,
    /// The job's variables in order; a later one of the same key wins.
    pub variables: Vec<Variable>,
    /// `script`, optional others, `after_script`.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// `pre_get_sources_script` and `post_get_sources_script`.
    #[serde(default)]
    pub hooks: Vec<Hook>,
    /// The container image, where the job names one.
    #[serde(default)]
    pub image: Option<Image>,
    /// Service containers beside the job.
    #[serde(default)]
    pub services: Vec<Service>,
    /// What to upload afterwards, the archive and the reports.
    #[serde(default)]
    pub artifacts: Vec<ArtifactSpec>,
    /// What to restore before and save after.
    #[serde(default)]
    pub cache: Vec<CacheSpec>,
    /// Logins for registries.
    #[serde(default)]
    pub credentials: Vec<Credential>,
    /// Jobs whose archives are downloaded before the script, in order.
    #[serde(default)]
    pub dependencies: Vec<Dependency>,
    /// What the coordinator understands.
    #[serde(default)]
    pub features: Features,
}

/// Which job of which project this is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobInfo {
    /// The job's id once more.
    pub id: i64,
    /// The job's name, as in the configuration.
    pub name: String,
    /// The stage's name.
    pub stage: String,
    /// The pipeline's id.
    pub pipeline_id: i64,
    /// The project's id.
    pub project_id: i64,
    /// The last component of the project's path.
    pub project_name: String,
    /// The project's whole path, `group/project`.
    pub project_full_path: String,
    /// Seconds between `pending` and the hand-out.
    pub time_in_queue_seconds: f64,
    /// GitLab sends this number as text: `"0"`, `"5+"`, `"+Inf"`.
    pub project_jobs_running_on_instance_runners_count: String,
}

/// Where the sources come from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GitInfo {
    /// The clone URL with credentials.
    pub repo_url: String,
    /// Branch or tag name without prefix.
    #[serde(rename = "ref")]
    pub ref_name: String,
    /// The full commit id.
    pub sha: String,
    /// The previous commit of the ref, or zeros.
    pub before_sha: String,
    /// What `ref` names.
    pub ref_type: RefType,
    /// Passed to `git fetch` unchanged.
    pub refspecs: Vec<String>,
    /// 0 is the whole history.
    pub depth: u32,
    /// Whether the ref is protected.
    pub protected: Option<bool>,
}

/// What a ref names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefType {
    /// A branch.
    #[default]
    Branch,
    /// A tag.
    Tag,
}

/// Limits the coordinator sets for this job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunnerInfo {
    /// The job's time limit in seconds; 0 or less means 7200.
    pub timeout: i64,
}

/// One variable of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// The name.
    pub key: String,
    /// The value, already expanded by the coordinator as far as it can.
    pub value: String,
    /// Also exported to service containers.
    #[serde(default)]
    pub public: bool,
    /// Replaced by `[MASKED]` in the log.
    #[serde(default)]
    pub masked: bool,
    /// The value goes into a file and the variable holds its path.
    #[serde(default)]
    pub file: bool,
    /// Not expanded by the runner.
    #[serde(default)]
    pub raw: bool,
}

/// One group of commands; `after_script` is a step of that name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// `script`, `after_script` or `release`.
    pub name: String,
    /// Each element is one command block.
    pub script: Vec<String>,
    /// Seconds; informative.
    pub timeout: i64,
    /// When the step runs; informative.
    pub when: When,
    /// Whether its failure is ignored; informative.
    pub allow_failure: bool,
}

/// On which result something happens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// After success.
    #[default]
    OnSuccess,
    /// After failure.
    OnFailure,
    /// Always.
    Always,
}

impl When {
    /// Whether something with this condition happens after a job that ended so.
    pub fn applies(self, success: bool) -> bool {
        match self {
            Self::OnSuccess => success,
            Self::OnFailure => !success,
            Self::Always => true,
        }
    }
}

/// Commands around the fetching of sources.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Hook {
    /// `pre_get_sources_script` or `post_get_sources_script`.
    pub name: String,
    /// The commands.
    pub script: Vec<String>,
}

/// A container image with its options.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Image {
    /// The reference, variables allowed.
    pub name: String,
    /// Replaces the image's entrypoint; absent or empty keeps it.
    pub entrypoint: Option<Vec<String>>,
    /// `always`, `if-not-present`, `never`, tried in order.
    pub pull_policy: Option<Vec<String>>,
    /// Options for one kind of executor.
    pub executor_opts: ExecutorOptions,
}

/// A service container with its options.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Service {
    /// The reference, variables allowed.
    pub name: String,
    /// Host names, separated by blanks or commas.
    pub alias: Option<String>,
    /// Replaces the image's entrypoint.
    pub entrypoint: Option<Vec<String>>,
    /// Replaces the image's command.
    pub command: Option<Vec<String>>,
    /// As for images.
    pub pull_policy: Option<Vec<String>>,
    /// Variables of this service alone.
    pub variables: Vec<Variable>,
    /// Options for one kind of executor.
    pub executor_opts: ExecutorOptions,
}

/// Options for one kind of executor.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExecutorOptions {
    /// For the Docker executor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docker: Option<DockerOptions>,
    /// For the Kubernetes executor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<KubernetesOptions>,
}

/// `image:docker`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DockerOptions {
    /// `linux/arm64` and the like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// User name or id, with an optional group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
}

/// `image:kubernetes`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KubernetesOptions {
    /// User id, with an optional group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
}

/// A user given as text or as a number; GitLab sends both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum User {
    /// `name`, `uid` or `uid:gid`.
    Text(String),
    /// A bare uid.
    Number(i64),
}

impl std::fmt::Display for User {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
            Self::Number(number) => write!(formatter, "{number}"),
        }
    }
}

/// One thing to upload: the archive of `artifacts:paths`, or one report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ArtifactSpec {
    /// Base name of the archive, variables allowed.
    pub name: Option<String>,
    /// Adds all files git does not track.
    pub untracked: bool,
    /// Globs relative to the project directory.
    pub paths: Vec<String>,
    /// Globs taken out again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// On which result it is uploaded.
    pub when: When,
    /// Free text such as `7 days`; the coordinator parses it.
    pub expire_in: Option<String>,
    /// `archive`, `junit`, `dotenv`, `cobertura`, …
    pub artifact_type: String,
    /// How the files are packed.
    pub artifact_format: ArtifactFormat,
}

/// How artifact files are packed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArtifactFormat {
    /// One zip archive.
    #[default]
    Zip,
    /// The files gzipped one after another.
    Gzip,
    /// The bytes as they are.
    Raw,
}

/// One cache of a job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CacheSpec {
    /// The key, variables allowed.
    pub key: String,
    /// Adds all files git does not track.
    pub untracked: bool,
    /// `pull-push`, `pull` or `push`, variables allowed.
    pub policy: String,
    /// Globs relative to the project directory.
    pub paths: Vec<String>,
    /// On which result it is saved.
    pub when: When,
    /// Keys tried in order when `key` has no archive.
    pub fallback_keys: Vec<String>,
}

/// A registry login.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Credential {
    /// `registry`; other types are ignored.
    #[serde(rename = "type")]
    pub kind: String,
    /// Registry host, with port where not the default.
    pub url: String,
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
}

/// A job whose archive is downloaded before the script.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Dependency {
    /// That job's id.
    pub id: i64,
    /// That job's name.
    pub name: String,
    /// The token that may download it.
    pub token: String,
    /// Absent when the job has no archive; such an entry is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts_file: Option<ArtifactsFile>,
}

/// Name and size of an archive.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ArtifactsFile {
    /// The archive's file name.
    pub filename: String,
    /// Bytes.
    pub size: u64,
}

/// What the coordinator understands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Features {
    /// Section markers are wanted in the log.
    pub trace_sections: bool,
    /// Failure reasons the coordinator knows.
    pub failure_reasons: Vec<String>,
    /// More token prefixes to mask.
    pub token_mask_prefixes: Vec<String>,
}
