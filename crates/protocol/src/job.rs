//! The job a runner receives: the body of `201 POST /api/v4/jobs/request`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::secrets::Secrets;

/// Everything a runner needs to execute one job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobPayload {
    /// The job's id, unique on the coordinator.
    pub id: i64,
    /// The job token: authenticates trace, update and artifact calls of this job.
    pub token: String,
    /// `true`: the default `GIT_STRATEGY` is `fetch`, else `clone`.
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
    pub steps: Vec<Step>,
    /// `pre_get_sources_script` and `post_get_sources_script`.
    pub hooks: Vec<Hook>,
    /// The container image, where the job names one.
    pub image: Option<Image>,
    /// Service containers beside the job.
    pub services: Vec<Service>,
    /// What to upload afterwards, the archive and the reports.
    pub artifacts: Vec<ArtifactSpec>,
    /// What to restore before and save after.
    pub cache: Vec<CacheSpec>,
    /// Logins for registries.
    pub credentials: Vec<Credential>,
    /// Jobs whose archives are downloaded before the script, in order.
    pub dependencies: Vec<Dependency>,
    /// What the coordinator understands.
    pub features: Features,
    /// Values that the runner gets from a service outside.
    #[serde(skip_serializing_if = "Secrets::is_empty")]
    pub secrets: Secrets,
    /// Inputs of the job, which are not supported: always empty.
    pub inputs: Vec<Value>,
}

/// Why the body of a job could not be used.
#[derive(Debug)]
pub struct DecodeError {
    /// The job's id and token, where at least these could be read: enough to report that it
    /// cannot be run.
    pub job: Option<(i64, String)>,
    cause: serde_json::Error,
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the coordinator sent a job this runner does not understand")
    }
}

impl std::error::Error for DecodeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

impl JobPayload {
    /// Reads the body of a 201. Unknown keys are ignored; an absent key and `null` are the
    /// default; a value of another type makes the whole job unusable, and so do a missing id
    /// or token and the use of `run` or `inputs`.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let unusable = |job, cause| DecodeError { job, cause };
        let mut value: Value =
            serde_json::from_slice(body).map_err(|cause| unusable(None, cause))?;
        drop_nulls(&mut value);
        let id = value
            .get("id")
            .and_then(Value::as_i64)
            .filter(|id| *id != 0);
        let token = value.get("token").and_then(Value::as_str);
        let job = id.zip(token.filter(|token| !token.is_empty()).map(str::to_owned));
        if let Some(key) = UNSUPPORTED.iter().find(|key| is_used(value.get(**key))) {
            let text = format!("it uses `{key}`, which is not supported");
            return Err(unusable(job, serde::de::Error::custom(text)));
        }
        let payload = serde_json::from_value(value);
        match (payload, job) {
            (Ok(payload), Some(_)) => Ok(payload),
            (Ok(_), None) => {
                let cause = serde::de::Error::custom("`id` or `token` is missing");
                Err(unusable(None, cause))
            }
            (Err(cause), job) => Err(unusable(job, cause)),
        }
    }
}

/// Keys that change what a job does; one that was ignored would make a job end well that did
/// something else than it should.
const UNSUPPORTED: [&str; 2] = ["run", "inputs"];

fn is_used(value: Option<&Value>) -> bool {
    match value {
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Object(object)) => !object.is_empty(),
        _ => false,
    }
}

/// Takes out every key whose value is `null`, which then is as if it were absent.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|_, value| !value.is_null());
            object.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
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
#[serde(default)]
pub struct RunnerInfo {
    /// The job's time limit in seconds; 0 or less means 7200.
    pub timeout: i64,
}

/// One variable of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Variable {
    /// The name.
    pub key: String,
    /// The value, already expanded by the coordinator as far as it can.
    pub value: String,
    /// Also exported to service containers.
    pub public: bool,
    /// Replaced by `[MASKED]` in the log.
    pub masked: bool,
    /// The value goes into a file and the variable holds its path.
    pub file: bool,
    /// Not expanded by the runner.
    pub raw: bool,
}

/// One group of commands; `after_script` is a step of that name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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
#[serde(default)]
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
#[serde(default)]
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
#[serde(default)]
pub struct Dependency {
    /// That job's id.
    pub id: i64,
    /// That job's name.
    pub name: String,
    /// The token that may download it.
    pub token: String,
    /// Absent when the job has no archive; such an entry is skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifacts_file: Option<ArtifactsFile>,
}

/// Name and size of an archive.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparse_job_is_understood() {
        let body = br#"{"id":7,"token":"t","job_info":null,"git_info":{"ref":"main","protected":null},
            "variables":[{"key":"A","value":null,"invented":1}],"steps":[{"name":"script","script":["true"]}],
            "services":null,"cache":null,"hooks":null,"image":{"name":"i","entrypoint":null},
            "dependencies":[{"id":1,"artifacts_file":null}],"run":null,"inputs":[],"invented":{"a":[null]}}"#;
        let job = JobPayload::decode(body).unwrap();
        assert_eq!((job.id, job.token.as_str()), (7, "t"));
        assert_eq!(job.git_info.ref_name, "main");
        assert_eq!(job.variables[0].value, "");
        assert_eq!(job.steps[0].timeout, 0);
        assert!(job.services.is_empty() && job.dependencies[0].artifacts_file.is_none());
    }

    #[test]
    fn an_unusable_job_can_still_be_reported() {
        for (body, job) in [
            ("", None),
            ("[]", None),
            (r#"{"id":7}"#, None),
            (r#"{"id":0,"token":"t"}"#, None),
            (
                r#"{"id":7,"token":"t","run":"[]"}"#,
                Some((7, "t".to_owned())),
            ),
            (
                r#"{"id":7,"token":"t","steps":{}}"#,
                Some((7, "t".to_owned())),
            ),
        ] {
            let error = JobPayload::decode(body.as_bytes()).unwrap_err();
            assert_eq!(error.job, job, "{body}");
        }
    }

    #[test]
    fn what_is_sent_is_read_back() {
        let job = JobPayload {
            id: 1,
            token: "t".into(),
            image: Some(Image::default()),
            dependencies: vec![Dependency::default()],
            ..JobPayload::default()
        };
        let body = serde_json::to_vec(&job).unwrap();
        assert_eq!(JobPayload::decode(&body).unwrap(), job);
    }
}
