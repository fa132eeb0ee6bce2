//! The configuration file, in the format of GitLab's runner: `config.toml`.
//!
//! Keys this runner does not act on stay in the file and are named, so that nobody believes
//! a limit to be in force that is not.

use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use super::cache_table::CacheTable;
use super::docker_table::DockerTable;

/// The time of a token that never ends.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML, or a value has another type.
    #[error("{} is not a runner configuration: {reason}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its place.
        reason: String,
    },
    /// The file cannot be written.
    #[error("cannot write {}; is its directory writable?", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A value of the whole file cannot be read.
    #[error("`{key}` is `{value}`; write it as {right}")]
    Value {
        /// Its key.
        key: String,
        /// What stands there.
        value: String,
        /// What could stand there.
        right: &'static str,
    },
    /// A runner's settings contradict themselves or ask for what is not supported.
    #[error("runner `{runner}`: {reason}")]
    Runner {
        /// Its name.
        runner: String,
        /// What is wrong and what would be right.
        reason: String,
    },
}

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Jobs at once over all runners.
    pub concurrent: u32,
    /// Seconds between two requests of a runner; 0 means 3.
    pub check_interval: u64,
    /// Seconds that stopped jobs may take to report.
    pub shutdown_timeout: u64,
    /// `debug`, `info`, `warn`, `error`.
    pub log_level: Option<String>,
    /// `text`, `json` or `runner`, which is text.
    pub log_format: Option<String>,
    /// Ours: what everything that the runners make may take on the disk, `20 GB`.
    pub disk_budget: Option<String>,
    /// Ours: what stays free on each of their file systems, `2 GB`.
    pub disk_floor: Option<String>,
    /// The runners.
    pub runners: Vec<RunnerSettings>,
    #[serde(flatten)]
    unknown: BTreeMap<String, IgnoredAny>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrent: 1,
            check_interval: 3,
            shutdown_timeout: 30,
            log_level: None,
            log_format: None,
            disk_budget: None,
            disk_floor: None,
            runners: Vec::new(),
            unknown: BTreeMap::new(),
        }
    }
}

/// One `[[runners]]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct RunnerSettings {
    /// Its name in logs.
    pub name: String,
    /// The coordinator.
    pub url: String,
    /// The authentication token.
    pub token: String,
    /// The runner's id on the coordinator.
    pub id: Option<i64>,
    /// `shell` or `docker`.
    pub executor: String,
    /// Jobs at once of this runner; 0 is no limit.
    pub limit: u32,
    /// More certificate authorities.
    #[serde(rename = "tls-ca-file")]
    pub tls_ca_file: Option<PathBuf>,
    /// `KEY=value`.
    pub environment: Vec<String>,
    /// Where jobs are run; else `builds` in the working directory.
    pub builds_dir: Option<PathBuf>,
    /// Where caches are; else `cache` in the working directory.
    pub cache_dir: Option<PathBuf>,
    /// KiB of log per job.
    pub output_limit: Option<u64>,
    /// Wait between two requests even after a job was received.
    pub strict_check_interval: bool,
    /// Refused requests in a row before the runner pauses.
    pub unhealthy_requests_limit: Option<u32>,
    /// The pause, as a Go duration.
    pub unhealthy_interval: Option<String>,
    /// How often a job's result is sent before it is given up.
    pub job_status_final_update_retry_limit: Option<u32>,
    /// Shell text around the fetching of sources and around every step.
    pub pre_get_sources_script: Option<String>,
    /// See there.
    pub post_get_sources_script: Option<String>,
    /// See there.
    pub pre_build_script: Option<String>,
    /// See there.
    pub post_build_script: Option<String>,
    /// `[runners.docker]`.
    pub docker: Option<DockerTable>,
    /// `[runners.cache]`.
    pub cache: Option<CacheTable>,
    /// `[runners.custom_build_dir]`.
    pub custom_build_dir: Option<CustomBuildDir>,
    /// `[runners.feature_flags]`: `FF_X = true`.
    pub feature_flags: BTreeMap<String, bool>,
    pub(super) token_obtained_at: Option<IgnoredAny>,
    pub(super) token_expires_at: Option<IgnoredAny>,
    #[serde(flatten)]
    pub(super) unknown: BTreeMap<String, IgnoredAny>,
}

/// `[runners.custom_build_dir]`: whether jobs may say where their project is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct CustomBuildDir {
    /// They may; else only those in containers.
    pub enabled: Option<bool>,
}

/// A text or a list of texts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// `"always"`.
    One(String),
    /// `["always", "if-not-present"]`.
    Many(Vec<String>),
}

impl Default for OneOrMany {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl OneOrMany {
    /// All texts.
    pub fn list(&self) -> Vec<&str> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts.iter().map(String::as_str).collect(),
        }
    }
}

impl Settings {
    /// The keys nothing acts on, as paths such as `runners.docker.memory`.
    pub fn unknown_keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.unknown.keys().cloned().collect();
        for runner in &self.runners {
            keys.extend(runner.unknown.keys().map(|key| format!("runners.{key}")));
            let docker = runner
                .docker
                .iter()
                .flat_map(|docker| docker.unknown_keys());
            let cache = runner.cache.iter().flat_map(CacheTable::unknown_keys);
            keys.extend(cache.map(|key| format!("runners.cache.{key}")));
            keys.extend(docker.map(|key| format!("runners.docker.{key}")));
        }
        keys.sort();
        keys.dedup();
        keys
    }
}

/// A runner to be added to the file.
#[derive(Debug, Clone, Default)]
pub struct NewRunner {
    /// Its name in logs.
    pub name: String,
    /// The coordinator.
    pub url: String,
    /// Its id on the coordinator.
    pub id: i64,
    /// Its token.
    pub token: String,
    /// Now, in RFC 3339 and UTC.
    pub token_obtained_at: String,
    /// When the token ends, likewise; `None` is never.
    pub token_expires_at: Option<String>,
    /// `shell` or `docker`.
    pub executor: String,
    /// Jobs at once; 0 is not written.
    pub limit: u32,
    /// More certificate authorities.
    pub tls_ca_file: Option<PathBuf>,
    /// Where jobs are run.
    pub builds_dir: Option<PathBuf>,
    /// Where caches are.
    pub cache_dir: Option<PathBuf>,
    /// `KEY=value`.
    pub environment: Vec<String>,
    /// `[runners.docker]`: image, privileged, volumes.
    pub docker: Option<(String, bool, Vec<String>)>,
}

/// The file with everything in it, comments and unknown keys included.
#[derive(Debug)]
pub struct ConfigFile {
    path: PathBuf,
    document: DocumentMut,
}

impl ConfigFile {
    /// Reads the file; one that is not there is empty.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            other => other.map_err(|source| ConfigError::Read {
                path: path.to_owned(),
                source,
            })?,
        };
        let document = text
            .parse()
            .map_err(|error: toml_edit::TomlError| ConfigError::Parse {
                path: path.to_owned(),
                reason: error.to_string(),
            })?;
        Ok(Self {
            path: path.to_owned(),
            document,
        })
    }

    /// What it says.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        let settings: Settings = toml_edit::de::from_document(self.document.clone())
            .map_err(|error| self.parse_error(error.to_string()))?;
        match settings.concurrent {
            0 => Err(self.parse_error("`concurrent` is 0, so no job could run".to_owned())),
            _ => Ok(settings),
        }
    }

    fn parse_error(&self, reason: String) -> ConfigError {
        ConfigError::Parse {
            path: self.path.clone(),
            reason,
        }
    }

    /// Adds a runner at the end.
    pub fn add(&mut self, runner: &NewRunner) -> Result<(), ConfigError> {
        let mut table = Table::new();
        table["name"] = value(&runner.name);
        table["url"] = value(&runner.url);
        table["id"] = value(runner.id);
        table["token"] = value(&runner.token);
        let expires = runner.token_expires_at.as_deref().unwrap_or(NEVER);
        for (key, time) in [
            ("token_obtained_at", runner.token_obtained_at.as_str()),
            ("token_expires_at", expires),
        ] {
            if let Ok(time) = time.parse::<toml_edit::Datetime>() {
                table[key] = value(time);
            }
        }
        table["executor"] = value(&runner.executor);
        if runner.limit > 0 {
            table["limit"] = value(i64::from(runner.limit));
        }
        for (key, path) in [
            ("tls-ca-file", &runner.tls_ca_file),
            ("builds_dir", &runner.builds_dir),
            ("cache_dir", &runner.cache_dir),
        ] {
            if let Some(path) = path {
                table[key] = value(path.to_string_lossy().as_ref());
            }
        }
        if !runner.environment.is_empty() {
            table["environment"] = value(runner.environment.iter().collect::<toml_edit::Array>());
        }
        if let Some((image, privileged, volumes)) = &runner.docker {
            let mut docker = Table::new();
            docker["image"] = value(image);
            docker["privileged"] = value(*privileged);
            docker["volumes"] = value(volumes.iter().collect::<toml_edit::Array>());
            table["docker"] = Item::Table(docker);
        }
        if !self.document.contains_key("concurrent") {
            self.document["concurrent"] = value(1);
        }
        let none = || Item::ArrayOfTables(ArrayOfTables::new());
        let runners = self.document.entry("runners").or_insert_with(none);
        match runners.as_array_of_tables_mut() {
            Some(runners) => {
                runners.push(table);
                Ok(())
            }
            None => Err(self.parse_error("`runners` is not written as [[runners]]".to_owned())),
        }
    }

    /// Removes the runners at these places, counted from 0.
    pub fn remove(&mut self, places: &[usize]) {
        let runners = self.document.get_mut("runners");
        let Some(runners) = runners.and_then(Item::as_array_of_tables_mut) else {
            return;
        };
        for place in (0..runners.len()).rev() {
            if places.contains(&place) {
                runners.remove(place);
            }
        }
    }

    /// Writes the file in one step, readable for its owner only.
    pub fn save(&self) -> Result<(), ConfigError> {
        let fault = |source| ConfigError::Write {
            path: self.path.clone(),
            source,
        };
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mut builder = std::fs::DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(directory);
        made.map_err(fault)?;
        let file = tempfile::NamedTempFile::new_in(directory).map_err(fault)?;
        std::fs::write(file.path(), self.document.to_string()).map_err(fault)?;
        file.as_file().sync_all().map_err(fault)?;
        file.persist(&self.path)
            .map_err(|error| fault(error.error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"# ours
concurrent = 4
check_interval = 0
[session_server]
  session_timeout = 1800

[[runners]]
  name = "first"
  url = "https://gitlab.example.test/"
  id = 12
  token = "glrt-abc"
  token_obtained_at = 2026-01-01T00:00:00Z
  token_expires_at = 0001-01-01T00:00:00Z
  executor = "docker"
  environment = ["A=b"] # kept
  [runners.cache]
    MaxUploadedArchiveSize = 0
    Odd = 1
  [runners.docker]
    image = "alpine:3"
    volumes = ["/cache"]
    pull_policy = "if-not-present"
    allowed_pull_policies = ["always", "never"]
    shm_size = 0
    volume_keep = true

[[runners]]
  name = "second"
  executor = "shell"
"#;

    fn file(text: &str) -> (tempfile::TempDir, ConfigFile) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/config.toml");
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        let file = ConfigFile::load(&path).unwrap();
        (directory, file)
    }

    #[test]
    fn gitlabs_file_is_read_and_what_is_not_acted_on_is_named() {
        let settings = file(FILE).1.settings().unwrap();
        assert_eq!((settings.concurrent, settings.shutdown_timeout), (4, 30));
        let first = &settings.runners[0];
        assert_eq!((first.id, first.token.as_str()), (Some(12), "glrt-abc"));
        let docker = first.docker.as_ref().unwrap();
        assert_eq!(docker.pull_policy.list(), ["if-not-present"]);
        assert_eq!(docker.allowed_pull_policies.list(), ["always", "never"]);
        assert_eq!(
            settings.unknown_keys(),
            [
                "runners.cache.Odd",
                "runners.docker.volume_keep",
                "session_server"
            ]
        );
    }

    #[test]
    fn everything_else_stays_when_runners_come_and_go() {
        let (directory, mut file) = file(FILE);
        let new = NewRunner {
            name: "third \"x\"".into(),
            url: "http://h".into(),
            id: 3,
            token: "t".into(),
            token_obtained_at: "2026-11-22T00:00:00Z".into(),
            executor: "docker".into(),
            environment: vec!["K=v".into()],
            docker: Some(("img".into(), true, vec!["/cache".into()])),
            ..NewRunner::default()
        };
        file.add(&new).unwrap();
        file.remove(&[1]);
        file.save().unwrap();
        let path = directory.path().join("new/config.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        for kept in ["# ours", "# kept", "session_timeout = 1800", "shm_size = 0"] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
        use std::os::unix::fs::PermissionsExt;
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let settings = ConfigFile::load(&path).unwrap().settings().unwrap();
        let names: Vec<_> = settings.runners.iter().map(|r| r.name.as_str()).collect();
        assert_eq!(names, ["first", "third \"x\""]);
        let docker = settings.runners[1].docker.as_ref().unwrap();
        assert_eq!(docker.image.as_deref(), Some("img"));
        assert!(docker.privileged && settings.runners[1].environment == ["K=v"]);
    }

    #[test]
    fn a_missing_file_is_empty_and_a_wrong_one_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/config.toml");
        let mut missing = ConfigFile::load(&path).unwrap();
        assert!(missing.settings().unwrap().runners.is_empty());
        missing.add(&NewRunner::default()).unwrap();
        missing.save().unwrap();
        assert!(path.is_file());
        assert!(file("concurrent = 0").1.settings().is_err());
        let error = file("concurrent = \"many\"").1.settings().unwrap_err();
        assert!(error.to_string().contains("config.toml"), "{error}");
        std::fs::write(&path, "concurrent = ").unwrap();
        assert!(ConfigFile::load(&path).is_err());
    }
}
