//! From the settings of the file to runners that can be started.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::client::Client;
use super::features::details;
use super::http::{ClientError, Endpoint};
use super::manager::{Manager, RemoteRunner};
use super::report::Pace;
use super::settings::{ConfigError, RunnerSettings, Settings};
use super::token::short_token;
use crate::config::{ExecutorChoice, PullPolicy, RunnerConfig, RunnerScripts, user_environment};
use crate::disk::{Budget, Collector, parse_bytes};
use crate::docker_settings::docker_certificates;
use crate::duration::{self, GoDuration};
use crate::runner::Runner;
use crate::variables;

/// GitLab's default for `output_limit`, in KiB.
const OUTPUT_LIMIT: u64 = 4096;
const UNHEALTHY_REQUESTS: u32 = 3;
const UNHEALTHY_INTERVAL: Duration = Duration::from_secs(3600);

/// Why a runner of the file cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Its settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Its address or certificates.
    #[error("runner `{runner}`")]
    Client {
        /// Its name.
        runner: String,
        /// What is wrong.
        #[source]
        source: ClientError,
    },
}

/// What a runner finds around it.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Below it `builds`, `cache` and `tmp` are, where the file does not say otherwise;
    /// absolute.
    pub working_directory: PathBuf,
    /// The process's environment.
    pub environment: Vec<(OsString, OsString)>,
    /// The manager's id.
    pub system_id: String,
}

impl Surroundings {
    fn variable(&self, name: &str) -> Option<&str> {
        let found = self.environment.iter().find(|(key, _)| key == name);
        found.and_then(|(_, value)| value.to_str())
    }

    /// `$NAME` in a setting, from the process's environment.
    fn expand(&self, text: &str) -> String {
        variables::expand(text, |name| {
            self.variable(name).unwrap_or_default().to_owned()
        })
    }
}

/// What stays free where a budget is set and nothing else is said.
const DISK_FLOOR: u64 = 1_000_000_000;

impl Settings {
    /// The disk budget of the file; `None` where it sets none.
    pub fn disk_budget(&self) -> Result<Option<Budget>, ConfigError> {
        let size = |key: &str, text: &Option<String>| {
            let Some(text) = text else {
                return Ok(None);
            };
            let bytes = parse_bytes(text).ok_or_else(|| ConfigError::Value {
                key: key.to_owned(),
                value: text.clone(),
                right: "20 GB, 500 MB or 1.5 GiB",
            })?;
            Ok(Some(bytes))
        };
        let limit = size("disk_budget", &self.disk_budget)?;
        let floor = size("disk_floor", &self.disk_floor)?;
        Ok((limit.is_some() || floor.is_some()).then_some(Budget {
            limit,
            floor: floor.unwrap_or(DISK_FLOOR),
        }))
    }

    /// Looks after the disk for all runners of the file, with this budget.
    pub fn collector(
        &self,
        surroundings: &Surroundings,
        budget: Budget,
    ) -> Result<Collector, ConfigError> {
        let configs = self.runners.iter().map(|one| one.config(surroundings));
        let configs: Vec<RunnerConfig> = configs.collect::<Result<_, _>>()?;
        Ok(Collector::new(&configs, budget))
    }

    /// All runners of the file, ready to be started.
    pub fn manager(&self, surroundings: &Surroundings) -> Result<Manager, BuildError> {
        let runners = self.runners.iter().map(|runner| runner.build(surroundings));
        let seconds = match self.check_interval {
            0 => 3,
            seconds => seconds,
        };
        Ok(Manager {
            runners: runners.collect::<Result<_, _>>()?,
            concurrent: self.concurrent,
            check_interval: Duration::from_secs(seconds),
            shutdown_timeout: Duration::from_secs(self.shutdown_timeout),
            collector: match self.disk_budget()? {
                Some(budget) => Some(self.collector(surroundings, budget)?),
                None => None,
            },
        })
    }
}

impl RunnerSettings {
    /// Its token, with `$NAME` from the environment.
    pub fn token(&self, surroundings: &Surroundings) -> String {
        surroundings.expand(&self.token)
    }

    /// A client for its coordinator.
    pub fn client(&self, surroundings: &Surroundings) -> Result<Client, BuildError> {
        let endpoint = Endpoint {
            url: surroundings.expand(&self.url),
            ca_file: self.tls_ca_file.clone(),
        };
        let details = details(&self.config(surroundings)?);
        Client::new(&endpoint, details, &surroundings.system_id).map_err(|source| {
            BuildError::Client {
                runner: self.name.clone(),
                source,
            }
        })
    }

    fn build(&self, surroundings: &Surroundings) -> Result<RemoteRunner, BuildError> {
        let unhealthy = match &self.unhealthy_interval {
            None => UNHEALTHY_INTERVAL,
            Some(text) => match duration::parse(text) {
                Some(GoDuration::Positive(interval)) => interval,
                _ => {
                    let reason = format!("`unhealthy_interval` is `{text}`; write 60m or 1h30m");
                    return Err(self.fault(reason).into());
                }
            },
        };
        let default = Pace::default();
        Ok(RemoteRunner {
            name: self.name.clone(),
            token: self.token(surroundings),
            client: Arc::new(self.client(surroundings)?),
            runner: Runner::new(self.config(surroundings)?),
            limit: self.limit,
            strict_check_interval: self.strict_check_interval,
            unhealthy_requests_limit: self
                .unhealthy_requests_limit
                .unwrap_or(UNHEALTHY_REQUESTS)
                .max(1),
            unhealthy_interval: unhealthy,
            pace: Pace {
                final_attempts: self
                    .job_status_final_update_retry_limit
                    .filter(|limit| *limit > 0)
                    .unwrap_or(default.final_attempts),
                ..default
            },
        })
    }

    fn fault(&self, reason: String) -> ConfigError {
        ConfigError::Runner {
            runner: self.name.clone(),
            reason,
        }
    }

    fn config(&self, surroundings: &Surroundings) -> Result<RunnerConfig, ConfigError> {
        let docker = self.docker.clone().unwrap_or_default();
        let executor = match self.executor.as_str() {
            "shell" => ExecutorChoice::Shell,
            "docker" if docker.image.is_none() => {
                let reason = "`[runners.docker]` names no `image` for jobs that name none";
                return Err(self.fault(reason.to_owned()));
            }
            "docker" => ExecutorChoice::Docker,
            other => {
                let reason = format!("its executor is `{other}`; there are shell and docker");
                return Err(self.fault(reason));
            }
        };
        let at = |path: &Option<PathBuf>, name: &str| {
            let own = path.as_deref().unwrap_or(Path::new(name));
            surroundings.working_directory.join(own)
        };
        // Runners that share a directory keep apart by their tokens.
        let token = self.token(surroundings);
        let builds = at(&self.builds_dir, "builds").join(safe_name(short_token(&token)));
        let temporary = surroundings.working_directory.join("tmp");
        let mut config = RunnerConfig::new(builds, at(&self.cache_dir, "cache"), temporary);
        config.description = format!("{} {}", self.name, short_token(&token));
        config.keep_builds = true;
        let custom = self.custom_build_dir.as_ref().and_then(|one| one.enabled);
        config.custom_build_dir = custom.unwrap_or(executor == ExecutorChoice::Docker);
        config.feature_flags.clone_from(&self.feature_flags);
        config.ledger_dir = Some(surroundings.working_directory.join("ledger"));
        config.executor = executor;
        config.output_limit = self
            .output_limit
            .unwrap_or(OUTPUT_LIMIT)
            .saturating_mul(1024);
        config.environment = self.environment()?;
        config.ca_file.clone_from(&self.tls_ca_file);
        config.scripts = RunnerScripts {
            pre_get_sources: self.pre_get_sources_script.clone(),
            post_get_sources: self.post_get_sources_script.clone(),
            pre_build: self.pre_build_script.clone(),
            post_build: self.post_build_script.clone(),
        };
        config.shell_environment = user_environment(surroundings.environment.iter().cloned());
        let engine = surroundings.variable("DOCKER_HOST").map(str::to_owned);
        config.docker_host = docker.host.clone().or(engine);
        let variable = |name: &str| surroundings.variable(name).map(OsString::from);
        config.docker_cert_path =
            (docker.tls_cert_path.clone()).or_else(|| docker_certificates(variable));
        config.docker_config = surroundings
            .variable("HOME")
            .map(|home| Path::new(home).join(".docker/config.json"));
        config.default_image = docker.image.clone();
        config.pull_policies = self.policies(&docker.pull_policy.list())?;
        if config.pull_policies.is_empty() {
            config.pull_policies.push(PullPolicy::Always);
        }
        config.allowed_pull_policies = self.policies(&docker.allowed_pull_policies.list())?;
        if let Some(cache) = &self.cache {
            let settings = cache.settings(&safe_name(short_token(&token)));
            config.shared_cache = settings.map_err(|fault| self.fault(fault))?;
        }
        config.docker = docker.settings().map_err(|fault| self.fault(fault))?;
        Ok(config)
    }

    fn environment(&self) -> Result<Vec<(String, String)>, ConfigError> {
        let pairs = self.environment.iter().map(|entry| {
            let pair = entry.split_once('=').filter(|(key, _)| !key.is_empty());
            let pair = pair.map(|(key, value)| (key.to_owned(), value.to_owned()));
            pair.ok_or_else(|| self.fault("an entry of `environment` is not KEY=value".to_owned()))
        });
        pairs.collect()
    }

    fn policies(&self, names: &[&str]) -> Result<Vec<PullPolicy>, ConfigError> {
        let policies = names.iter().map(|name| {
            PullPolicy::from_name(name).ok_or_else(|| {
                let known = "always, if-not-present and never are known";
                self.fault(format!("pull policy `{name}`: {known}"))
            })
        });
        policies.collect()
    }
}

/// A token's short form as a name of a directory.
fn safe_name(short: &str) -> String {
    let safe = |character: char| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => character,
        _ => '_',
    };
    match short {
        "" => "_".to_owned(),
        short => short.chars().map(safe).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings() -> Surroundings {
        Surroundings {
            working_directory: "/srv".into(),
            environment: vec![("TOKEN".into(), "glrt-abcdefghijkl".into())],
            system_id: "s_0123456789ab".into(),
        }
    }

    #[test]
    fn settings_become_a_runner() {
        let settings = RunnerSettings {
            name: "r".into(),
            url: "http://h".into(),
            token: "$TOKEN".into(),
            executor: "shell".into(),
            environment: vec!["A=b=c".into()],
            cache_dir: Some("/elsewhere".into()),
            unhealthy_interval: Some("1h30m".into()),
            ..RunnerSettings::default()
        };
        let runner = settings.build(&surroundings()).unwrap();
        assert_eq!(runner.token, "glrt-abcdefghijkl");
        assert_eq!(runner.unhealthy_interval, Duration::from_secs(5400));
        let config = runner.runner.config();
        assert_eq!(config.builds_dir, Path::new("/srv/builds/abcdefghi"));
        assert_eq!(config.cache_dir, Path::new("/elsewhere"));
        assert_eq!(config.environment, [("A".to_owned(), "b=c".to_owned())]);
        assert_eq!(config.output_limit, 4_194_304);
        assert!(config.keep_builds);
    }

    #[test]
    fn what_cannot_work_is_said_with_the_runners_name() {
        let good = RunnerSettings {
            name: "mine".into(),
            url: "http://h".into(),
            executor: "shell".into(),
            ..RunnerSettings::default()
        };
        let change = |change: fn(&mut RunnerSettings)| {
            let mut settings = good.clone();
            change(&mut settings);
            settings
        };
        for (settings, text) in [
            (change(|s| s.executor = "kubernetes".into()), "kubernetes"),
            (change(|s| s.executor = "docker".into()), "image"),
            (change(|s| s.environment = vec!["A".into()]), "KEY=value"),
            (
                change(|s| s.unhealthy_interval = Some("soon".into())),
                "soon",
            ),
            (change(|s| s.url = "h".into()), "`mine`"),
        ] {
            let error = settings.build(&surroundings()).unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("mine"), "{error}");
        }
    }
}
