//! The options of `shipway runner`, named as those of GitLab's runner.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Run the jobs of a server: a Shipway server or a GitLab.
///
/// The configuration has the format of GitLab's runner, so its `config.toml` can be used as
/// it is; settings that are not acted on are named at the start.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  shipway runner register --url https://gitlab.example.com --token glrt-... --executor shell
  shipway runner run
  shipway runner verify --delete
  shipway runner gc --dry-run")]
pub(crate) struct RunnerArgs {
    #[command(subcommand)]
    pub(crate) command: RunnerCommand,

    /// The configuration [default: /etc/shipway-runner/config.toml for root, else
    /// shipway-runner/config.toml in the user's configuration directory].
    #[arg(short, long, global = true, value_name = "FILE", env = "CONFIG_FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunnerCommand {
    Register(Box<RegisterArgs>),
    Run(RunnerRunArgs),
    /// List the runners of the configuration, tokens shortened.
    List,
    Verify(VerifyArgs),
    Unregister(UnregisterArgs),
    Gc(GcArgs),
}

/// Add a runner to the configuration, and to the server where it is not there yet.
///
/// With `--token` the runner was created on the server, where its tags and the like are set
/// too. With `--registration-token` it is created now.
#[derive(Debug, Args)]
pub(crate) struct RegisterArgs {
    /// The server's address.
    #[arg(short, long, value_name = "URL", env = "CI_SERVER_URL")]
    pub(crate) url: Option<String>,

    /// The authentication token of a runner that was created on the server (glrt-…).
    #[arg(
        short,
        long,
        value_name = "TOKEN",
        env = "CI_SERVER_TOKEN",
        hide_env_values = true
    )]
    pub(crate) token: Option<String>,

    /// The registration token of a project, group or server (older way).
    #[arg(
        short,
        long,
        value_name = "TOKEN",
        env = "REGISTRATION_TOKEN",
        hide_env_values = true,
        conflicts_with = "token"
    )]
    pub(crate) registration_token: Option<String>,

    /// The runner's name [default: the host's name].
    #[arg(long, alias = "description", value_name = "NAME", env = "RUNNER_NAME")]
    pub(crate) name: Option<String>,

    /// What runs its jobs.
    #[arg(long, value_enum, env = "RUNNER_EXECUTOR")]
    pub(crate) executor: Option<RunnerExecutor>,

    /// Ask nothing; what is missing is an error.
    #[arg(short, long, env = "REGISTER_NON_INTERACTIVE")]
    pub(crate) non_interactive: bool,

    /// Keep the runner on the server when the configuration cannot be written.
    #[arg(long)]
    pub(crate) leave_runner: bool,

    /// Tags of the jobs it takes, with commas between them.
    #[arg(long, value_name = "TAGS", env = "RUNNER_TAG_LIST")]
    pub(crate) tag_list: Option<String>,

    /// Take jobs without tags too [default: true without tags].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) run_untagged: Option<bool>,

    /// Stay with the first project [default: true].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) locked: Option<bool>,

    /// Start without taking jobs.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) paused: Option<bool>,

    /// `not_protected` or `ref_protected`.
    #[arg(long, value_name = "LEVEL")]
    pub(crate) access_level: Option<String>,

    /// The most seconds a job may ask for.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) maximum_timeout: Option<i64>,

    /// A note for people.
    #[arg(long, value_name = "TEXT")]
    pub(crate) maintenance_note: Option<String>,

    /// Jobs at once of this runner; 0 is no limit of its own.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) limit: u32,

    /// A variable of every job, KEY=value. May be repeated.
    #[arg(long = "env", value_name = "KEY=value")]
    pub(crate) environment: Vec<String>,

    /// More certificate authorities, in PEM.
    #[arg(long, value_name = "FILE", env = "CI_SERVER_TLS_CA_FILE")]
    pub(crate) tls_ca_file: Option<PathBuf>,

    /// Where jobs are run.
    #[arg(long, value_name = "DIR", env = "RUNNER_BUILDS_DIR")]
    pub(crate) builds_dir: Option<PathBuf>,

    /// Where caches are kept.
    #[arg(long, value_name = "DIR", env = "RUNNER_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,

    /// The image of Docker jobs that name none.
    #[arg(long, value_name = "IMAGE", env = "DOCKER_IMAGE")]
    pub(crate) docker_image: Option<String>,

    /// Containers get all capabilities and devices of the machine.
    #[arg(long, env = "DOCKER_PRIVILEGED")]
    pub(crate) docker_privileged: bool,

    /// HOST:CONTAINER mounts a directory into containers. May be repeated.
    #[arg(long = "docker-volumes", value_name = "VOLUME")]
    pub(crate) docker_volumes: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RunnerExecutor {
    Shell,
    Docker,
}

impl RunnerExecutor {
    /// The name in the configuration.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::Docker => "docker",
        }
    }
}

/// Ask servers for jobs and run them, until a signal.
///
/// SIGQUIT takes no more jobs and lets the running ones end. SIGTERM and SIGINT end them too
/// and report them; a second signal exits at once.
#[derive(Debug, Args)]
pub(crate) struct RunnerRunArgs {
    /// Below it `builds` and `cache` are, where the configuration does not say otherwise.
    #[arg(short = 'd', long, value_name = "DIR", default_value = ".")]
    pub(crate) working_directory: PathBuf,
}

/// Remove what the runners made and what does not fit the disk budget, what was not used for
/// longest first.
///
/// The budget is `disk_budget` of the configuration, and `disk_floor` is what stays free. What
/// runners that died left goes in any case. What a job uses stays, and so does everything that
/// no runner made.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  shipway runner gc --dry-run              what there is, and what would go
  shipway runner gc                        keep to the budget of the configuration
  shipway runner gc --budget '5 GB'        keep at most 5 GB, this once
  shipway runner gc --budget 0             remove everything that no job uses")]
pub(crate) struct GcArgs {
    /// Remove nothing; say what would go.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// What everything may take, instead of `disk_budget`.
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub(crate) budget: Option<u64>,

    /// What stays free on each file system, instead of `disk_floor`.
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub(crate) floor: Option<u64>,

    /// Where the runners work: as for `shipway runner run`.
    #[arg(short = 'd', long, value_name = "DIR", default_value = ".")]
    pub(crate) working_directory: PathBuf,
}

/// `20 GB`, in powers of 1000, or `20 GiB`, in powers of 1024.
fn bytes(text: &str) -> Result<u64, String> {
    shipway_runner::disk::parse_bytes(text)
        .ok_or_else(|| format!("`{text}` is not a size; write 20 GB, 500 MB or 1.5 GiB"))
}

/// Ask the servers whether they know the runners of the configuration.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) filter: FilterArgs,

    /// Take runners a server does not know out of the configuration.
    #[arg(long)]
    pub(crate) delete: bool,
}

/// Remove runners from their servers and from the configuration.
#[derive(Debug, Args)]
pub(crate) struct UnregisterArgs {
    #[command(flatten)]
    pub(crate) filter: FilterArgs,

    /// All runners of the configuration.
    #[arg(long)]
    pub(crate) all_runners: bool,
}

/// Which runners of the configuration; those that match everything given.
#[derive(Debug, Args)]
pub(crate) struct FilterArgs {
    /// By name.
    #[arg(short, long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// By the server's address.
    #[arg(short, long, value_name = "URL")]
    pub(crate) url: Option<String>,

    /// By token.
    #[arg(short, long, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
}

impl FilterArgs {
    /// Whether nothing is asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.name.is_none() && self.url.is_none() && self.token.is_none()
    }
}
