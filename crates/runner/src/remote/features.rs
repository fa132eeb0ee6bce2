//! What this runner says it can do. Only what is implemented is named.

use shipway_protocol::{RunnerDetails, RunnerFeatures};

use crate::config::{ExecutorChoice, RunnerConfig};
use crate::predefined::architecture;

/// `info` for a runner with this configuration.
pub fn details(config: &RunnerConfig) -> RunnerDetails {
    let docker = config.executor == ExecutorChoice::Docker;
    RunnerDetails {
        name: config.name.clone(),
        version: config.version.clone(),
        revision: String::new(),
        platform: std::env::consts::OS.to_owned(),
        architecture: architecture().to_owned(),
        executor: if docker { "docker" } else { "shell" }.to_owned(),
        shell: "bash".to_owned(),
        features: RunnerFeatures {
            variables: true,
            image: docker,
            image_executor_opts: docker,
            services: docker,
            service_variables: docker,
            service_multiple_aliases: docker,
            service_executor_opts: docker,
            shared: !docker,
            artifacts: true,
            cache: true,
            upload_multiple_artifacts: true,
            upload_raw_artifacts: true,
            fallback_cache_keys: true,
            refspecs: true,
            masking: true,
            raw_variables: true,
            artifacts_exclude: true,
            multi_build_steps: true,
            vault_secrets: true,
            return_exit_code: true,
            trace_reset: true,
            trace_checksum: true,
            trace_size: true,
            cancelable: true,
            cancel_gracefully: true,
            two_phase_job_commit: true,
            ..RunnerFeatures::default()
        },
    }
}
