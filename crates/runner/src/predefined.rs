//! The variables a runner adds to those of the payload.

use std::time::Duration;

use shipway_protocol::{JobPayload, Variable};

use crate::config::{ExecutorChoice, RunnerConfig};
use crate::executor::JobPaths;
use crate::variables::{self, Variables};

/// The file in the job's temporary directory through which stages hand variables on.
pub(crate) const ENV_FILE: &str = "gitlab_runner_env";

/// Which executor this job gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Shell,
    Docker,
}

impl Kind {
    /// The executor for a job that does, or does not, name an image.
    pub(crate) fn choose(choice: ExecutorChoice, has_image: bool) -> Self {
        match choice {
            ExecutorChoice::Shell => Self::Shell,
            ExecutorChoice::Docker => Self::Docker,
            ExecutorChoice::Auto if has_image => Self::Docker,
            ExecutorChoice::Auto => Self::Shell,
        }
    }
}

/// All variables of the job, weakest first.
pub(crate) fn job_variables(
    config: &RunnerConfig,
    payload: &JobPayload,
    kind: Kind,
    slot: u32,
    timeout: Duration,
    paths: &JobPaths,
) -> Variables {
    let set = |key: &str, value: String| variables::internal(key, value);
    let mut first: Vec<Variable> = Vec::new();
    if let Some(image) = &payload.image {
        first.push(Variable {
            raw: false,
            ..set("CI_JOB_IMAGE", image.name.clone())
        });
    }
    first.extend(config.environment.iter().map(|(key, value)| Variable {
        key: key.clone(),
        value: value.clone(),
        public: true,
        ..Variable::default()
    }));
    first.extend([
        set("CI_BUILDS_DIR", paths.builds.clone()),
        set("CI_PROJECT_DIR", paths.project.clone()),
        set("CI_CONCURRENT_ID", slot.to_string()),
        set("CI_CONCURRENT_PROJECT_ID", slot.to_string()),
        set("CI_SERVER", "yes".to_owned()),
        set("CI_JOB_STATUS", "running".to_owned()),
        set("CI_JOB_TIMEOUT", timeout.as_secs().to_string()),
    ]);
    let place = match kind {
        Kind::Shell => "CI_SHARED_ENVIRONMENT",
        Kind::Docker => "CI_DISPOSABLE_ENVIRONMENT",
    };
    let flags = config.feature_flags.iter();
    let flags = flags.map(|(name, is_on)| set(name, is_on.to_string()));
    let mut last = vec![
        set(place, "true".to_owned()),
        set("CI_RUNNER_VERSION", config.version.clone()),
        set("CI_RUNNER_REVISION", "shipway".to_owned()),
        set(
            "CI_RUNNER_EXECUTABLE_ARCH",
            format!("{}/{}", std::env::consts::OS, architecture()),
        ),
        set("RUNNER_TEMP_PROJECT_DIR", paths.temporary.clone()),
        set("GITLAB_ENV", format!("{}/{ENV_FILE}", paths.temporary)),
    ];
    last.extend(flags);
    Variables::new([first, payload.variables.clone(), last], &paths.temporary)
}

/// Whether a feature flag is on, as GitLab's runner reads switches.
pub(crate) fn is_on(value: &str) -> bool {
    matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

/// The processor's name as Go, and so GitLab, spells it.
pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(change: impl FnOnce(&mut RunnerConfig, &mut JobPayload), kind: Kind) -> Variables {
        let mut config = RunnerConfig::new("/b".into(), "/c".into(), "/t".into());
        let mut payload = JobPayload::default();
        change(&mut config, &mut payload);
        let paths = JobPaths::in_container("g/p");
        job_variables(&config, &payload, kind, 3, Duration::from_secs(60), &paths)
    }

    #[test]
    fn a_job_knows_whether_its_machine_is_its_own() {
        for (kind, shared, disposable) in [(Kind::Shell, "true", ""), (Kind::Docker, "", "true")] {
            let found = variables(|_, _| {}, kind);
            assert_eq!(found.get("CI_SHARED_ENVIRONMENT"), shared);
            assert_eq!(found.get("CI_DISPOSABLE_ENVIRONMENT"), disposable);
            assert_eq!(found.get("CI_CONCURRENT_ID"), "3");
        }
    }

    #[test]
    fn flags_of_the_runner_win_over_those_of_the_job() {
        let found = variables(
            |config, payload| {
                for name in ["FF_ONE", "FF_TWO"] {
                    payload.variables.push(variables::internal(name, "true"));
                }
                config.feature_flags = [("FF_ONE".to_owned(), false)].into();
            },
            Kind::Shell,
        );
        assert_eq!(found.get("FF_ONE"), "false");
        assert!(is_on(&found.get("FF_TWO")) && !is_on(&found.get("FF_THREE")));
    }
}
