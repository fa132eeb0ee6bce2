//! What a runner says about itself: registration, verification, asking for jobs.

use serde::{Deserialize, Serialize};

/// `info`: what the runner is and can do. Sent with registration, verification, every
/// request for a job and every update of one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunnerDetails {
    /// The program's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The commit it was built from.
    pub revision: String,
    /// The operating system as Go spells it, such as `linux`.
    pub platform: String,
    /// The processor as Go spells it, such as `amd64`.
    pub architecture: String,
    /// `shell`, `docker`, …; empty in a registration.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub executor: String,
    /// `bash`, `sh`, `pwsh`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub shell: String,
    /// What jobs may ask for.
    pub features: RunnerFeatures,
}

/// The abilities of a runner; GitLab decides by them which jobs it gets and how a job is
/// cancelled. What is not named here is decoded as absent and never sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunnerFeatures {
    /// The executor can receive variables.
    pub variables: bool,
    /// Honours `image`.
    pub image: bool,
    /// Honours `services`.
    pub services: bool,
    /// The environment is shared between jobs.
    pub shared: bool,
    /// A `session` can be opened.
    pub session: bool,
    /// Interactive web terminal.
    pub terminal: bool,
    /// Service proxying through the session server.
    pub proxy: bool,
    /// `variables` of a single service.
    pub service_variables: bool,
    /// Several aliases in one `alias`.
    pub service_multiple_aliases: bool,
    /// `executor_opts` of an image.
    pub image_executor_opts: bool,
    /// `executor_opts` of a service.
    pub service_executor_opts: bool,
    /// Runs the `run` keyword itself.
    pub native_steps_integration: bool,
    /// Moves artifacts.
    pub artifacts: bool,
    /// Moves caches.
    pub cache: bool,
    /// More than one entry in `artifacts`: reports.
    pub upload_multiple_artifacts: bool,
    /// Formats `raw` and `gzip`.
    pub upload_raw_artifacts: bool,
    /// `cache[].fallback_keys`.
    pub fallback_cache_keys: bool,
    /// Fetches exactly `git_info.refspecs`.
    pub refspecs: bool,
    /// Masks secrets itself.
    pub masking: bool,
    /// Honours `raw` of a variable.
    pub raw_variables: bool,
    /// Honours `exclude` of an artifact.
    pub artifacts_exclude: bool,
    /// Runs steps beside `script` and `after_script`, such as `release`.
    pub multi_build_steps: bool,
    /// Resolves `secrets`.
    pub vault_secrets: bool,
    /// Sends `exit_code`.
    pub return_exit_code: bool,
    /// Can send the log again from its beginning.
    pub trace_reset: bool,
    /// Sends `output.checksum`.
    pub trace_checksum: bool,
    /// Sends `output.bytesize`.
    pub trace_size: bool,
    /// Obeys `Job-Status: canceled`.
    pub cancelable: bool,
    /// Obeys `Job-Status: canceling`.
    pub cancel_gracefully: bool,
    /// Sends `PUT state=running` before anything else of a job.
    pub two_phase_job_commit: bool,
    /// Understands `inputs`.
    pub job_inputs: bool,
}

/// The body of `POST /api/v4/runners`: registration with a registration token.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RegisterRequest {
    /// The registration token.
    pub token: String,
    /// The runner's name in the coordinator's pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A note for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance_note: Option<String>,
    /// Which tagged jobs it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag_list: Option<TagList>,
    /// Whether it takes jobs without tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_untagged: Option<bool>,
    /// Whether it stays with its first project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locked: Option<bool>,
    /// `not_protected` or `ref_protected`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_level: Option<String>,
    /// The most seconds a job may ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum_timeout: Option<i64>,
    /// Whether it starts without taking jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// The opposite of `paused`, from older runners.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// What the runner is.
    pub info: RunnerDetails,
}

/// Tags, as a list or as a text with commas; runners send the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TagList {
    /// `"a,b"`.
    Text(String),
    /// `["a", "b"]`.
    List(Vec<String>),
}

impl TagList {
    /// The tags, trimmed, without empty ones.
    pub fn tags(&self) -> Vec<String> {
        let trimmed = |tag: &str| {
            let tag = tag.trim();
            (!tag.is_empty()).then(|| tag.to_owned())
        };
        match self {
            Self::Text(text) => text.split(',').filter_map(trimmed).collect(),
            Self::List(list) => list.iter().filter_map(|tag| trimmed(tag)).collect(),
        }
    }
}

/// The answer to a registration, a verification and a reset of the token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunnerCredentials {
    /// The runner's id; runners refuse 0. Absent after a reset.
    #[serde(default)]
    pub id: i64,
    /// The runner authentication token.
    #[serde(default)]
    pub token: String,
    /// When the token ends, in RFC 3339; `None` is never.
    #[serde(default)]
    pub token_expires_at: Option<String>,
}

/// The body of `POST /api/v4/runners/verify`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VerifyRequest {
    /// What the runner is.
    pub info: RunnerDetails,
    /// The runner authentication token.
    pub token: String,
    /// Which manager of the runner this is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub system_id: String,
}

/// The body of `DELETE /api/v4/runners` and, with `system_id`, of
/// `DELETE /api/v4/runners/managers`; also of a reset of the token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UnregisterRequest {
    /// The runner authentication token.
    pub token: String,
    /// The manager to remove; `None` removes the whole runner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_id: Option<String>,
}

/// The body of `POST /api/v4/jobs/request`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobRequest {
    /// What the runner is and can do.
    pub info: RunnerDetails,
    /// The runner authentication token.
    pub token: String,
    /// Which manager of the runner asks.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub system_id: String,
    /// The last `X-GitLab-Last-Update` the runner was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_update: Option<String>,
}

/// An answer that carries no other body: `{"message": "403 Forbidden"}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorMessage {
    /// What went wrong.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_of_another_runner_is_understood() {
        let request: JobRequest = serde_json::from_str(
            r#"{"info":{"name":"gitlab-runner","version":"19.4.0","features":{"variables":true,
                "cancel_gracefully":true,"invented_tomorrow":true},"config":{"gpus":""},"labels":{"a":"b"}},
                "token":"glrt-x","last_update":"abc","session":{"url":"https://h/1"}}"#,
        )
        .unwrap();
        assert!(request.info.features.cancel_gracefully);
        assert!(!request.info.features.refspecs);
        assert_eq!(request.last_update.as_deref(), Some("abc"));
        assert_eq!(request.system_id, "");
    }

    #[test]
    fn tags_come_in_two_shapes() {
        for text in [r#""a, b,,""#, r#"["a","b",""]"#] {
            let tags: TagList = serde_json::from_str(text).unwrap();
            assert_eq!(tags.tags(), ["a", "b"], "{text}");
        }
    }
}
