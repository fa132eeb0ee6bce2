//! What a runner is told once, for all its jobs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::docker_settings::DockerSettings;
use crate::failure_shell::FailureShell;
use crate::shared_cache::SharedCache;

/// Which executor runs a job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ExecutorChoice {
    /// Docker when the job names an image, else shell.
    #[default]
    Auto,
    /// Always a shell on this machine; an image is named in the log and not used.
    Shell,
    /// Always a container; a job without an image gets the default image.
    Docker,
}

/// When an image is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullPolicy {
    /// Before every job.
    Always,
    /// When the engine has no such image yet.
    IfNotPresent,
    /// Not at all; the image must be there.
    Never,
}

impl PullPolicy {
    /// The name in configurations, such as `if-not-present`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::IfNotPresent => "if-not-present",
            Self::Never => "never",
        }
    }

    /// The policy of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Always, Self::IfNotPresent, Self::Never]
            .into_iter()
            .find(|policy| policy.as_str() == name)
    }
}

/// What one archive may unpack to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtractLimits {
    /// Number of entries.
    pub entries: u64,
    /// Sum of the unpacked sizes in bytes.
    pub bytes: u64,
}

impl Default for ExtractLimits {
    fn default() -> Self {
        Self {
            entries: 1_000_000,
            bytes: 20 * 1024 * 1024 * 1024,
        }
    }
}

/// Commands the runner's configuration adds to every job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunnerScripts {
    /// Before the sources are fetched, before the job's own hook.
    pub pre_get_sources: Option<String>,
    /// After the sources were fetched, after the job's own hook.
    pub post_get_sources: Option<String>,
    /// Before the commands of every step but `after_script`.
    pub pre_build: Option<String>,
    /// After them.
    pub post_build: Option<String>,
}

/// A runner's settings. [`RunnerConfig::new`] fills in what suits a local run.
#[derive(Debug, Clone)]
pub struct RunnerConfig {
    /// The program's name in the log, such as `shipway`.
    pub name: String,
    /// Its version in the log and in `CI_RUNNER_VERSION`.
    pub version: String,
    /// The runner's description in the log; usually the host's name.
    pub description: String,
    /// Below it each slot has a directory with the job's project directory; absolute.
    pub builds_dir: PathBuf,
    /// Caches, one directory per project and key; absolute.
    pub cache_dir: PathBuf,
    /// The bucket whose caches several runners share; `None` keeps them on this machine. Heeded
    /// only with the feature `s3`.
    pub shared_cache: Option<SharedCache>,
    /// Whether a project's directory stays in its slot for the project's next job, so that
    /// `GIT_STRATEGY: fetch` has something to build on. Without it every job starts empty.
    pub keep_builds: bool,
    /// Whether jobs may choose with `GIT_CLONE_PATH` where below the builds directory their
    /// project is.
    pub custom_build_dir: bool,
    /// `FF_…`, on or off for all jobs, whatever their variables say.
    pub feature_flags: BTreeMap<String, bool>,
    /// Where archives are put together before they are handed over; absolute.
    pub temp_dir: PathBuf,
    /// Where it is written down which images were pulled for jobs, so that they can be removed
    /// when the disk fills; `None` writes nothing down. Absolute.
    pub ledger_dir: Option<PathBuf>,
    /// A person at the terminal, who gets a shell where a job's script fails.
    pub failure_shell: Option<Arc<FailureShell>>,
    /// Which executor runs a job.
    pub executor: ExecutorChoice,
    /// Variables of every job, weaker than the job's own.
    pub environment: Vec<(String, String)>,
    /// Certificate authorities, in PEM, of the server that repositories are fetched from;
    /// `None` is those of the system.
    pub ca_file: Option<PathBuf>,
    /// Commands added to every job.
    pub scripts: RunnerScripts,
    /// What the containers of jobs get.
    pub docker: DockerSettings,
    /// What shell jobs inherit; see [`user_environment`].
    pub shell_environment: Vec<(OsString, OsString)>,
    /// The engine, as in `DOCKER_HOST`; `None` is the local socket.
    pub docker_host: Option<String>,
    /// The directory of `ca.pem`, `cert.pem` and `key.pem` for an engine that wants TLS.
    pub docker_cert_path: Option<PathBuf>,
    /// Docker's client configuration with registry logins, usually `~/.docker/config.json`.
    pub docker_config: Option<PathBuf>,
    /// The image of Docker jobs that name none.
    pub default_image: Option<String>,
    /// Tried in order for jobs whose image names no policy; also the policies a job may name
    /// when `allowed_pull_policies` is empty.
    pub pull_policies: Vec<PullPolicy>,
    /// The policies a job's image may ask for.
    pub allowed_pull_policies: Vec<PullPolicy>,
    /// Bytes of log per job, after masking; the rest is dropped with a notice.
    pub output_limit: u64,
    /// What one artifact archive or cache may unpack to.
    pub extract_limits: ExtractLimits,
    /// Between SIGTERM and SIGKILL when a script is stopped.
    pub kill_grace: Duration,
    /// How long output is still read after the script's shell ended while something it
    /// started in the background holds the output open.
    pub drain_grace: Duration,
}

impl RunnerConfig {
    /// Settings for a run on this machine: executor by image, images pulled when absent,
    /// 100 MiB of log as on a GitLab server, ten seconds of grace.
    pub fn new(builds_dir: PathBuf, cache_dir: PathBuf, temp_dir: PathBuf) -> Self {
        Self {
            name: "shipway".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: "this machine".to_owned(),
            builds_dir,
            cache_dir,
            shared_cache: None,
            keep_builds: false,
            custom_build_dir: true,
            feature_flags: BTreeMap::new(),
            temp_dir,
            ledger_dir: None,
            failure_shell: None,
            executor: ExecutorChoice::Auto,
            environment: Vec::new(),
            ca_file: None,
            scripts: RunnerScripts::default(),
            docker: DockerSettings::default(),
            shell_environment: Vec::new(),
            docker_host: None,
            docker_cert_path: None,
            docker_config: None,
            default_image: None,
            pull_policies: vec![PullPolicy::IfNotPresent],
            allowed_pull_policies: vec![
                PullPolicy::Always,
                PullPolicy::IfNotPresent,
                PullPolicy::Never,
            ],
            output_limit: 100 * 1024 * 1024,
            extract_limits: ExtractLimits::default(),
            kill_grace: Duration::from_secs(10),
            drain_grace: Duration::from_millis(500),
        }
    }
}

/// The names a shell job inherits from the runner's environment, apart from `LC_*`.
///
/// Everything else stays out, so that a job does not depend on, or print, what the person
/// who started the runner happens to have exported: tokens, virtual environments, editors.
const INHERITED: [&str; 21] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "XDG_RUNTIME_DIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
];

/// The part of an environment that shell jobs inherit: `PATH`, `HOME`, the user's name, the
/// locale, the time zone, `TMPDIR`, the ssh agent, certificates and proxies.
pub fn user_environment(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Vec<(OsString, OsString)> {
    variables
        .into_iter()
        .filter(|(name, _)| {
            name.to_str()
                .is_some_and(|name| INHERITED.contains(&name) || name.starts_with("LC_"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_variables_are_inherited() {
        let kept = user_environment(
            [
                ("PATH", "/bin"),
                ("LC_ALL", "C"),
                ("AWS_SECRET_ACCESS_KEY", "x"),
                ("VIRTUAL_ENV", "/v"),
                ("https_proxy", "p"),
            ]
            .map(|(name, value)| (name.into(), value.into())),
        );
        let names: Vec<_> = kept
            .iter()
            .map(|(name, _)| name.to_str().unwrap())
            .collect();
        assert_eq!(names, ["PATH", "LC_ALL", "https_proxy"]);
    }

    #[test]
    fn policy_names_round_trip() {
        for name in ["always", "if-not-present", "never"] {
            assert_eq!(PullPolicy::from_name(name).unwrap().as_str(), name);
        }
        assert_eq!(PullPolicy::from_name("Always"), None);
    }
}
